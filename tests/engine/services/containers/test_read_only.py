"""Read-only binds of real containers: what is mounted below the source, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.sys import mount
from tests.engine.client import Client
from tests.engine.conftest import Davitd

WRITE = "touch /x/file; touch /x/below/file"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A directory with a tmpfs below it."""
    below = tmp_path / "below"
    below.mkdir()
    mount.mount("tmpfs", below, "tmpfs")
    yield tmp_path
    mount.unmount(below)


def written(client: Client, source: Path, **options: Any) -> list[str]:
    """Which files a container could make in a read-only bind of the source."""
    bind = {"Type": "bind", "Source": str(source), "Target": "/x", "ReadOnly": True, **options}
    return written_by(client, source, {"Mounts": [bind]})


def written_by(client: Client, source: Path, host: dict[str, Any]) -> list[str]:
    body = {
        "Image": "busybox",
        "Cmd": ["sh", "-c", WRITE],
        "HostConfig": {"NetworkMode": "none", **host},
    }
    box = client.post("/containers/create", body).json["Id"]
    assert client.post(f"/containers/{box}/start").status == 204
    client.post(f"/containers/{box}/wait")
    client.delete(f"/containers/{box}")
    found = [path for path in (source / "file", source / "below/file") if path.exists()]
    for path in found:
        path.unlink()
    return [str(path.relative_to(source)) for path in found]


def test_what_is_below_is_read_only_too(shared_davitd: Davitd, source: Path) -> None:
    client = shared_davitd.client
    assert written(client, source) == []
    assert written(client, source, BindOptions={"ReadOnlyForceRecursive": True}) == []
    assert written(client, source, BindOptions={"ReadOnlyNonRecursive": True}) == ["below/file"]


def test_older_clients_leave_it_alone(shared_davitd: Davitd, source: Path) -> None:
    old = Client(shared_davitd.socket, "v1.43")
    assert written(old, source) == ["below/file"]
    binds = {"Binds": [f"{source}:/x:ro"]}
    assert written_by(old, source, binds) == ["below/file"]
    assert written_by(shared_davitd.client, source, binds) == []
