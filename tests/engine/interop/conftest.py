"""One registry, one davitd and one of each peer for all tests of this directory."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd, new_davitd
from tests.engine.imagekit import docker_archive
from tests.engine.interop.images import RICH, SIBLING
from tests.engine.interop.peers import Docker, Libpod, davit_peer, moby_peer
from tests.engine.mobykit import Moby, unmount_below
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
def podman() -> Iterator[Libpod]:
    with _libpod("podman") as peer:
        yield peer


@pytest.fixture(scope="package")
def buildah() -> Iterator[Libpod]:
    with _libpod("buildah") as peer:
        yield peer


@contextlib.contextmanager
def _libpod(name: str) -> Iterator[Libpod]:
    # Short: podman refuses a run root of more than 50 characters.
    root = Path(tempfile.mkdtemp(prefix=name))
    try:
        yield Libpod(name, root)
    finally:
        # It leaves its overlay directory mounted on itself.
        unmount_below(root)
        shutil.rmtree(root)
