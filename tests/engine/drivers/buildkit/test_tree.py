"""Trees of clients that do not keep to the protocol."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davit._pb.buildkit_pb2 import Packet, Stat
from davit.drivers.buildkit.tree import Tree
from davit.errors import InvalidParameter

_DIRECTORY, _LINK = 1 << 31 | 0o755, 1 << 27 | 0o777


def write(root: Path, *found: Stat, contents: bytes = b"x") -> None:
    """Let a client send these, each file with the same contents."""
    tree = Tree(root)
    try:
        for stat in found:
            number = tree.announce(stat)
            packets = [(number, Packet(type=Packet.STAT, stat=stat))]
            if number is not None:
                for data in (contents, b""):
                    packets.append((None, Packet(type=Packet.DATA, id=number, data=data)))
            tree.apply(packets)
        tree.finish()
    finally:
        tree.close()


def test_a_tree(tmp_path: Path) -> None:
    write(
        tmp_path,
        Stat(path="d", mode=1 << 31 | 1 << 20 | 0o750, mod_time=5 * 10**9),
        Stat(path="d/f", mode=1 << 23 | 0o755, mod_time=7, xattrs={"user.a": b"1"}),
        Stat(path="d/h", mode=0o755, linkname="d/f"),
        Stat(path="l", mode=_LINK, linkname="../../etc"),
        Stat(path="s", mode=1 << 24 | 0o755),
    )
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o1750
    assert (tmp_path / "d").stat().st_mtime == 5
    file = (tmp_path / "d/f").stat()
    assert (file.st_mode & 0o7777, file.st_mtime_ns, file.st_nlink) == (0o4755, 7, 2)
    assert (tmp_path / "d/h").read_text() == "x"
    assert os.readlink(tmp_path / "l") == "../../etc"
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "path", ["/abs", "../up", "..", ".", "", "d/../../up", "l/in", "none/f", "d//f", "d/", "a\0b"]
)
def test_paths_that_lead_elsewhere(tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    before = [Stat(path="d", mode=_DIRECTORY), Stat(path="l", mode=_LINK, linkname="../outside")]
    for mode in (0o644, _DIRECTORY, _LINK):
        with pytest.raises(InvalidParameter, match="the context has"):
            write(root, *before, Stat(path=path, mode=mode, linkname="x" if mode == _LINK else ""))
        for name in ("l", "d"):
            place = root / name
            place.unlink() if place.is_symlink() else place.rmdir()
    assert set(tmp_path.rglob("*")) == {outside, root}


def test_links_to_what_was_not_sent(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not the client's")
    root = tmp_path / "root"
    root.mkdir()
    # It is no link then, but a file of its own.
    write(root, Stat(path="h", mode=0o644, linkname="../secret"))
    assert (root / "h").read_text() == "x"
    with pytest.raises(InvalidParameter, match="twice"):
        write(root, Stat(path="h", mode=0o644))
    with pytest.raises(InvalidParameter, match="contents of no file"):
        Tree(root).apply([(None, Packet(type=Packet.DATA, id=3, data=b"x"))])
