"""One registry, one davitd and one of each peer for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.conftest import Davitd, new_davitd
from tests.engine.imagekit import docker_archive
from tests.engine.interop.images import RICH, SIBLING
from tests.engine.interop.peers import Docker, Libpod, davit_peer, moby_peer
from tests.engine.mobykit import Moby
from tests.engine.registrykit import registry


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="package")
def engine() -> Iterator[Davitd]:
    with new_davitd() as daemon:
        yield daemon


@pytest.fixture(scope="package")
def davit(engine: Davitd) -> Docker:
    peer = davit_peer(engine)
    peer.load(docker_archive(RICH, SIBLING))
    return peer


@pytest.fixture(scope="package")
def dockerd(moby: Moby) -> Docker:
    peer = moby_peer(moby)
    peer.load(docker_archive(RICH, SIBLING))
    return peer


@pytest.fixture(scope="package")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Libpod:
    return Libpod("podman", tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="package")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Libpod:
    return Libpod("buildah", tmp_path_factory.mktemp("buildah"))
