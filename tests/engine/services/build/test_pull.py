"""Builds from images of registries."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from davit.model.registry import Credentials
from tests.engine.client import UnixConnection
from tests.engine.imagekit import busybox, files
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.build.conftest import Builder, context


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A repository that only one user may read."""
    with registry(tmp_path, auth=True) as address:
        yield Shelf(address, "box", {"Authorization": Credentials(USER, PASSWORD).basic})


def build(builder: Builder, dockerfile: str, shelf: Shelf, query: str = "") -> str:
    """What a build says whose client knows the registry's password."""
    auths = {f"https://{shelf.address}/v2/": {"username": USER, "password": PASSWORD}}
    header = base64.urlsafe_b64encode(json.dumps(auths).encode()).decode()
    with closing(UnixConnection(builder.davitd.socket)) as connection:
        headers = {"X-Registry-Config": header}
        connection.request("POST", f"/build?{query}", context(dockerfile, {}), headers)
        return connection.getresponse().read().decode()


def test_images_are_pulled_when_they_are_not_here(builder: Builder, shelf: Shelf) -> None:
    shelf.image("1", busybox(extra=[files({"v": "old"})]))
    dockerfile = f"FROM {shelf.name}:1\nCOPY --from={shelf.name}:1 /v /copy\n"
    assert "no basic auth credentials" in builder.build(dockerfile).error
    said = build(builder, dockerfile, shelf, "t=pulled")
    assert said.count("Status: Downloaded newer image") == 1
    assert "Successfully tagged pulled:latest" in said
    assert builder.run("pulled", "cat", "/copy") == "old"
    shelf.image("1", busybox(extra=[files({"v": "new"})]))
    assert "Downloaded newer image" not in build(builder, dockerfile, shelf)
    assert "Downloaded newer image" in build(builder, dockerfile, shelf, "pull=1&t=pulled")
    assert builder.run("pulled", "cat", "/copy") == "new"
    assert "manifest unknown" in build(builder, f"FROM {shelf.name}:2\n", shelf)
    assert "Downloaded" not in build(builder, f"FROM {shelf.name}:1\n", shelf, "pull=1&q=1")
