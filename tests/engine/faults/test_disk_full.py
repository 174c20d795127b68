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

from tests.engine.busybox import busybox_tar
from tests.engine.client import Answer
from tests.engine.conftest import Davitd
from tests.engine.imagekit import busybox, docker_archive, files
from tests.engine.test_daemon import until


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
    places = cramped.data / "containers"
    until(lambda: os.listdir(places) == [before["Id"]], "files are left of a container")


def test_archives_do_not_fit(cramped: Davitd) -> None:
    """Imported, loaded, copied in, committed: each is refused, and leaves nothing."""
    cramped.load_busybox()
    cramped.docker("run", "--detach", "--name=box", "busybox", "sleep", "1000")
    cramped.docker("exec", "box", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=4")
    client, ingest = cramped.client, cramped.data / "ingest"
    kept = [entry.name for place in ("blobs/sha256", "layers") for entry in _list(cramped, place)]
    with full(cramped):
        imported = client.request("POST", "/images/create?fromSrc=-&repo=more", busybox_tar())
        said = imported.message if imported.status == 500 else imported.body.decode()
        assert "No space left on device" in said
        assert str(cramped.data) in said
        loaded = client.request(
            "POST",
            "/images/load",
            docker_archive(busybox("other:1", extra=[files({"big": bytes(1 << 20)})])),
        )
        assert b"No space left on device" in loaded.body
        copied = client.request("PUT", "/containers/box/archive?path=/tmp", busybox_tar())
        assert copied.status == 500
        assert copied.message.endswith("make room for /tmp of the container")
        committed = client.post("/commit", container="box", repo="more")
        assert committed.status == 500
        assert "No space left on device" in committed.message
        assert str(cramped.data) in committed.message
        assert client.get("/containers/box/json").json["State"]["Status"] == "running"
        assert cramped.docker("exec", "box", "echo", "alive").stdout == b"alive\n"
        assert os.listdir(ingest) == []
    assert kept == [
        entry.name for place in ("blobs/sha256", "layers") for entry in _list(cramped, place)
    ]
    assert len(client.get("/images/json").json) == 1
    cramped.docker("commit", "box", "more")
    cramped.docker("rm", "--force", "box")


def test_logs_do_not_fit(cramped: Davitd) -> None:
    """What a container prints meanwhile may be lost; it goes on, and so do its logs."""
    cramped.load_busybox()
    script = "i=0; while :; do echo line $i; i=$((i+1)); echo $i >/dev/shm/count; sleep 0.01; done"
    cramped.docker("run", "--detach", "--name=box", "busybox", "sh", "-c", script)

    def count() -> int:
        return int(cramped.docker("exec", "box", "cat", "/dev/shm/count").stdout or 0)

    def last() -> int:
        shown = cramped.docker("logs", "--tail=1", "box").stdout.split()
        return int(shown[1]) if len(shown) == 2 else -1

    until(lambda: last() > 0, "no log")
    with full(cramped):
        until(lambda: shutil.disk_usage(cramped.data).free == 0, "it is not full")
        before = count()
        # More than what fits in the log's last page.
        until(lambda: count() > before + 300, "it stands still")
    before = count()
    until(lambda: last() > before, "its log stands still")
    cramped.docker("rm", "--force", "box")


def _list(daemon: Davitd, place: str) -> list[Path]:
    return sorted((daemon.data / place).iterdir())
