"""The data root's disk is full: what is asked fails with a reason, what runs goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.client import Answer
from tests.engine.conftest import Davitd


@pytest.fixture
def cramped() -> Iterator[Davitd]:
    """A daemon whose data root is a file system of 32 MiB."""
    root = Path(tempfile.mkdtemp(prefix="dv"))
    daemon = Davitd(root)
    daemon.data.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(daemon.data)], check=True
    )
    try:
        daemon.start()
        yield daemon
        daemon.stop()
        daemon.erase()
    finally:
        subprocess.run(["umount", "--lazy", str(daemon.data)], check=True)
        left = daemon.left_behind()
        shutil.rmtree(root, ignore_errors=True)
    assert not left, "\n".join(left)


@contextlib.contextmanager
def full(daemon: Davitd) -> Iterator[None]:
    """Leave not one free block."""
    filler = daemon.data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1))
    try:
        yield
    finally:
        filler.unlink()


def create(daemon: Davitd, name: str) -> Answer:
    # Rows of some size: small ones find room in the pages that the database has.
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "Labels": {"x": "y" * (3 << 20)}}
    return daemon.client.post("/containers/create", body, name=name)


def test_state_cannot_be_written(cramped: Davitd) -> None:
    cramped.load_busybox()
    cramped.docker("run", "--detach", "--name=before", "busybox", "sleep", "1000")
    with full(cramped):
        refused = create(cramped, "after")
        assert refused.status == 500
        assert f"cannot write its state to {cramped.data}" in refused.message
        assert "disk is full; make room" in refused.message
        assert cramped.client.get("/containers/after/json").status == 404
        assert cramped.docker("exec", "before", "echo", "alive").stdout == b"alive\n"
        cramped.kill()
        cramped.start()
        before = cramped.client.get("/containers/before/json").json
        assert before["State"]["Running"]
    cramped.docker("run", "--rm", "--name=after", "busybox", "true")
    assert os.listdir(cramped.data / "containers") == [before["Id"]]
