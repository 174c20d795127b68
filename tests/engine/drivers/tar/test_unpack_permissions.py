"""A file has the permissions that its archive says, wherever and by whomever it is unpacked."""

import io
import os
import stat
import struct
import tarfile
from pathlib import Path

import pytest

from davit.drivers.tar.unpack import unpack
from tests.engine.imagekit import directory, layer, member

_ACL = "system.posix_acl_default"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def acl() -> bytes:
    """Whoever owns it may all, the group and others nothing."""
    entries = [(0x01, 7), (0x04, 0), (0x20, 0)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one, 2**32 - 1) for one in entries)


def put(root: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    unpack(io.BytesIO(layer(members)), root)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_permissions_do_not_depend_on_the_umask(root: Path, mask: int) -> None:
    modes = [0, 0o400, 0o600, 0o640, 0o644, 0o666, 0o755, 0o777, 0o1644, 0o2755, 0o4755]
    before = os.umask(mask)
    try:
        put(root, *(member(f"{mode:o}", b"x", mode=mode) for mode in modes))
    finally:
        os.umask(before)
    assert [stat.S_IMODE((root / f"{mode:o}").stat().st_mode) for mode in modes] == modes


def test_permissions_do_not_depend_on_where_the_layers_are(root: Path, acl: bytes) -> None:
    os.setxattr(root, _ACL, acl)
    put(root, member("file", b"x", mode=0o644))
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o644


def test_permissions_do_not_depend_on_a_directory(root: Path, acl: bytes) -> None:
    """Which may hand down its group, or a list of its own (acl(5)) of who may do what."""
    headers = {f"SCHILY.xattr.{_ACL}": acl.decode("utf-8", "surrogateescape")}
    put(
        root,
        directory("acl", pax_headers=headers),
        member("acl/file", b"x", mode=0o644),
        directory("group", 0o2755, gid=7),
        member("group/file", b"x", mode=0o664),
    )
    assert os.getxattr(root / "acl", _ACL) == acl
    assert stat.S_IMODE((root / "acl/file").stat().st_mode) == 0o644
    there = (root / "group/file").stat()
    assert (stat.S_IMODE(there.st_mode), there.st_gid) == (0o664, 0)
