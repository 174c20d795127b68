"""Archives into and out of containers that fight back, are read-only, or nest without end."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.drivers.tar.extract import extract
from tests.engine.client import Answer
from tests.engine.conftest import Davitd
from tests.engine.imagekit import directory, layer, member
from tests.engine.test_daemon import create, remove, start, until

_EXCHANGE = 2  # renameat2(2)
_DEPTH = 1050
_libc = ctypes.CDLL(None, use_errno=True)


def put(davitd: Davitd, container: str, path: str, body: bytes) -> Answer:
    return davitd.client.request("PUT", f"/containers/{container}/archive?path={path}", body)


def rootfs(davitd: Davitd, container: str) -> Path:
    return davitd.run / "containers" / container / "rootfs"


class _Swap:
    """A process that exchanges two names for as long as the body runs."""

    def __init__(self, one: Path, other: Path) -> None:
        self._names = (os.fsencode(one), os.fsencode(other))
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> _Swap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            if _libc.renameat2(-100, self._names[0], -100, self._names[1], _EXCHANGE) == 0:
                self.count += 1


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_swapped_directory_does_not_lead_out(
    shared_davitd: Davitd, tmp_path: Path, running: bool
) -> None:
    """By a process in it; by one of another container, in a volume of a stopped one."""
    client = shared_davitd.client
    outside = tmp_path / "outside"
    (outside / "d").mkdir(parents=True)
    secret = outside / "d" / "secret"
    secret.write_text("of the host")
    if running:
        box = start(client, "sleep", "1000")
        assert put(shared_davitd, box, "/", layer([directory("w")])).status == 200
        tree = rootfs(shared_davitd, box) / "w"
    else:
        box = create(client, "true", HostConfig={"Binds": ["shared:/w"]})
        tree = shared_davitd.data / "volumes/shared/_data"
    (tree / "d").mkdir()
    (tree / "link").symlink_to(outside / "d")
    packed = layer(
        [
            *(member(f"d/f{number}", b"x") for number in range(40)),
            *(member(f"d/{name}", kind=tarfile.FIFOTYPE, mode=0o777) for name in ("p", "secret")),
        ]
    )
    with _Swap(tree / "d", tree / "link") as swap:
        for _ in range(40):
            put(shared_davitd, box, "/w", packed)
            shown = client.get(f"/containers/{box}/archive?path=/w/d/.")
            assert b"of the host" not in shown.body
            client.get(f"/containers/{box}/changes")
    assert swap.count > 100
    assert os.listdir(outside) == ["d"]
    assert os.listdir(outside / "d") == ["secret"]
    assert secret.read_text() == "of the host"
    assert secret.stat().st_mode & 0o777 == 0o644
    remove(client, box)
    client.delete("/volumes/shared")


def test_a_mode_is_not_set_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container puts a link in a new device's place before its mode is set."""
    outside = tmp_path / "outside"
    outside.write_text("of the host")
    outside.chmod(0o600)
    tree = tmp_path / "tree"
    tree.mkdir()
    chown = os.chown

    def hostile(path: Any, uid: int, gid: int, **options: Any) -> None:
        chown(path, uid, gid, **options)
        if path == "fifo":
            (tree / "fifo").unlink()
            (tree / "fifo").symlink_to(outside)

    monkeypatch.setattr(os, "chown", hostile)
    packed = layer([member("fifo", kind=tarfile.FIFOTYPE, mode=0o777)])
    with contextlib.suppress(Exception):
        extract(io.BytesIO(packed), str(tree), [], replace=True, owner=lambda uid, gid: (uid, gid))
    assert (tree / "fifo").is_symlink()
    assert outside.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def read_only(shared_davitd: Davitd, tmp_path: Path) -> Iterator[str]:
    """A container whose root is read-only, with what is mounted in it."""
    box = start(
        shared_davitd.client,
        *("sleep", "1000"),
        HostConfig={
            "ReadonlyRootfs": True,
            "Tmpfs": {"/scratch": ""},
            "Binds": ["data:/data", f"{tmp_path}:/fixed:ro"],
        },
    )
    yield box
    remove(shared_davitd.client, box)
    shared_davitd.docker("volume", "rm", "data")


def test_a_read_only_root_takes_files_where_it_can_be_written_to(
    shared_davitd: Davitd, read_only: str
) -> None:
    def answer(path: str, name: str = "file") -> tuple[int, str]:
        given = put(shared_davitd, read_only, path, layer([member(name, b"x")]))
        return given.status, given.message if given.body else ""

    name = shared_davitd.client.get(f"/containers/{read_only}/json").json["Name"][1:]
    shared_davitd.docker("exec", read_only, "mkdir", "/scratch/below", "/data/below")
    shared_davitd.docker("exec", read_only, "ln", "-s", "/root", "/data/link")
    assert answer("/scratch") == answer("/scratch/below") == (200, "")
    assert answer("/data/below") == answer("/dev/shm") == (200, "")
    refused = (403, f"container rootfs is marked read-only: {name}")
    assert answer("/") == answer("/root") == answer("/data/link") == refused
    assert answer("/fixed") == (403, f"mounted volume is marked read-only: /fixed in {name}")
    assert answer("/sys")[0] == 403
    assert answer("/data", "link/file")[0] == 403
    shared_davitd.docker("stop", "--time=0", read_only)
    assert answer("/data/below") == (200, "")
    assert answer("/root") == answer("/data/link") == refused
    assert answer("/data", "link/file")[0] == 403
    assert answer("/fixed")[0] == 403
    upper = shared_davitd.data / "containers" / read_only / "upper"
    assert not (upper / "root/file").exists()


def test_paths_go_by_their_words(shared_davitd: Davitd) -> None:
    box = create(shared_davitd.client, "true")

    def names(path: str) -> set[str]:
        packed = shared_davitd.client.get(f"/containers/{box}/archive?path={path}").body
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            return {entry.name for entry in tar}

    assert names("/var/www/..") == {"var", "var/www"}
    assert names("var/nothing/../www/") == {"www"}
    assert names("/var/.") == {".", "./www"}
    remove(shared_davitd.client, box)


def _nest(parent: Path, depth: int) -> None:
    """Directories in one another, deeper than a path can tell of."""
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=descriptor)
        below = os.open("deep", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def test_deep_trees(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    box = start(client, "sleep", "1000")
    _nest(rootfs(shared_davitd, box) / "root", _DEPTH)
    (rootfs(shared_davitd, box) / "root/zlast").write_text("last")
    packed = client.get(f"/containers/{box}/export").body
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        names = tar.getnames()
    assert "root/zlast" in names
    assert max(name.count("/") for name in names) == _DEPTH + 1
    changes = [entry["Path"] for entry in client.get(f"/containers/{box}/changes").json]
    assert changes[:3] == ["/root", "/root/deep", "/root/deep/deep"]
    assert "/root/zlast" in changes
    assert client.get("/system/df").status == 200
    assert client.get(f"/containers/{box}/json", size=True).json["SizeRw"] == 4
    into = put(shared_davitd, box, "/root", layer([member("deep", b"")]))
    assert into.status == 400
    assert "more than 256 levels" in into.message
    remove(client, box)
    until(lambda: not (shared_davitd.data / "containers" / box).exists(), "its files stay")
