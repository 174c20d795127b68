"""Archives into and out of containers that fight back, are read-only, or nest without end."""

from __future__ import annotations

import bz2
import contextlib
import ctypes
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

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


_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep
_LONG = "/".join(["long" * 30] * 4)


def _all_kinds() -> list[tuple[tarfile.TarInfo, bytes]]:
    """A member of each kind, and what is hard to get right."""
    attributes = {
        "SCHILY.xattr.user.note": "text",
        "SCHILY.xattr.security.capability": _CAPABILITY.decode("utf-8", "surrogateescape"),
    }
    owner = {"mode": 0o4755, "uid": 70000, "gid": 3_000_000_000}
    return [
        directory("kinds", mode=0o2750, uid=70000, gid=80000),
        member("kinds/file", b"contents", **owner),
        member("kinds/capable", b"x", pax_headers=attributes),
        member("kinds/hard", kind=tarfile.LNKTYPE, linkname="kinds/file", **owner),
        member("kinds/link", kind=tarfile.SYMTYPE, linkname="/no/where", mode=0o777, uid=5),
        member("kinds/pipe", kind=tarfile.FIFOTYPE, mode=0o622),
        member("kinds/null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3, gid=6),
        member("kinds/disk", kind=tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=300),
        directory(f"kinds/{_LONG}"),
        member(f"kinds/{_LONG}/file", b"deep"),
        member("kinds/ümlaut \n", b"", mtime=-5),
    ]


def _told(packed: bytes) -> dict[str, tuple[object, ...]]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {
            entry.name.rstrip("/"): (
                entry.type,
                entry.mode,
                entry.uid,
                entry.gid,
                entry.linkname,
                (entry.devmajor, entry.devminor),
                entry.mtime,
                sorted(item for item in entry.pax_headers.items() if "xattr" in item[0]),
                tar.extractfile(entry).read() if entry.isreg() else b"",  # type: ignore[union-attr]
            )
            for entry in tar
        }


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_all_kinds_of_files_come_back(shared_davitd: Davitd, running: bool) -> None:
    begin = start if running else create
    box = begin(shared_davitd.client, "sleep", "1000", HostConfig={"Binds": ["kinds:/data"]})
    sent = layer(_all_kinds())
    wanted = _told(sent)
    # Of two names of one file, the first in the archive that comes back is not the link.
    file, hard = wanted["kinds/file"], wanted["kinds/hard"]
    assert (file[0], hard[0]) == (tarfile.REGTYPE, tarfile.LNKTYPE)
    for place in ("/root", "/data"):
        assert put(shared_davitd, box, place, sent).status == 200
        shown = shared_davitd.client.get(f"/containers/{box}/archive?path={place}/kinds").body
        found = _told(shown)
        parents = {name for name in found if _LONG.startswith(name.removeprefix("kinds/"))}
        assert found.keys() == wanted.keys() | parents
        assert found["kinds/hard"][4] == "kinds/file"
        for name in wanted.keys() - {"kinds/hard"}:
            assert found[name] == wanted[name], name
    remove(shared_davitd.client, box)
    assert shared_davitd.client.delete("/volumes/kinds").status == 204


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_compressed_archives_are_unpacked(
    shared_davitd: Davitd, pack: Callable[[bytes], bytes]
) -> None:
    box = create(shared_davitd.client, "true")
    packed = layer([member("file", b"contents")])
    assert put(shared_davitd, box, "/root", pack(packed)).status == 200
    cut = put(shared_davitd, box, "/root", pack(packed)[: len(pack(packed)) // 2])
    assert cut.status == 400
    assert "truncated" in cut.message
    shown = _told(shared_davitd.client.get(f"/containers/{box}/archive?path=/root/file").body)
    assert shown["file"][-1] == b"contents"
    remove(shared_davitd.client, box)


def test_sparse_files_stay_sparse(shared_davitd: Davitd, tmp_path: Path) -> None:
    box = create(shared_davitd.client, "true")
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
    packed = subprocess.run(
        ["tar", "--create", "--sparse", "--format=posix", f"--directory={tmp_path}", "sparse"],
        check=True,
        capture_output=True,
    ).stdout
    assert len(packed) < 1 << 20
    assert put(shared_davitd, box, "/root", packed).status == 200
    found = (shared_davitd.data / "containers" / box / "upper/root/sparse").stat()
    assert (found.st_size, found.st_blocks * 512 < 1 << 20) == ((64 << 20) + 3, True)
    remove(shared_davitd.client, box)


def test_usage_agrees_with_the_lists(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    script = "head -c 5000 /dev/zero >/root/x; head -c 700 /dev/zero >/data/y; ln /root/x /root/z"
    box = start(client, "sh", "-c", script, HostConfig={"Binds": ["used:/data"]})
    client.post(f"/containers/{box}/wait")
    used = client.get("/system/df").json
    listed = client.get("/containers/json", all=True, size=True).json
    assert used["Containers"] == listed
    assert listed[0]["SizeRw"] == 5000
    images = client.get("/images/json", all=True, **{"shared-size": True}).json
    # Lists do not count containers.
    alike = [{**entry, "Containers": -1} for entry in used["Images"]]
    assert alike == [{**entry, "Containers": -1} for entry in images]
    assert [entry["Name"] for entry in used["Volumes"]] == ["used"]
    assert used["Volumes"][0]["UsageData"] == {"Size": 700, "RefCount": 1}
    for kind, key in (("image", "Images"), ("container", "Containers"), ("volume", "Volumes")):
        only = client.get("/system/df", type=kind).json
        assert only[key] == used[key]
        assert not {"Images", "Containers", "Volumes"} - {key} & only.keys()
    remove(client, box)
    assert client.delete("/volumes/used").status == 204
