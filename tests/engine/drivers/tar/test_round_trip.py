"""What a layer can hold comes out of it, and goes into one again."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

from davit.drivers.tar.pack import Packer
from davit.drivers.tar.unpack import unpack
from tests.engine.imagekit import directory, hard_link, layer, member, symlink

_CAPABILITY = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
_DEEP = "/".join(["long" * 20] * 6)


def _pax(**records: bytes) -> dict[str, Any]:
    return {
        "pax_headers": {
            f"SCHILY.xattr.{name.replace('_', '.')}": os.fsdecode(value)
            for name, value in records.items()
        }
    }


MEMBERS = [
    directory("./", 0o711),
    directory("d", 0o3775, uid=70_000, gid=2**31),
    member("d/huge-owner", b"1", uid=2**32 - 2, gid=2**32 - 2),
    member("d/setuid", b"2", mode=0o6755),
    member("d/capable", b"3", uid=5, **_pax(security_capability=_CAPABILITY)),
    member("d/attributes", b"4", **_pax(user_note=b"\xff\x00\n=", trusted_note=b"t")),
    member("d/empty", b""),
    member("d/second-name", kind=tarfile.LNKTYPE, linkname="d/setuid", mode=0o6755),
    member("top-name", kind=tarfile.LNKTYPE, linkname="d/setuid", mode=0o6755),
    symlink("d/link", "../" + "x" * 300),
    symlink("d/broken", "/no/such"),
    hard_link("d/second-link", "d/broken"),
    member("d/fifo", kind=tarfile.FIFOTYPE, mode=0o640),
    member("d/char", kind=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666, uid=9),
    member("d/block", kind=tarfile.BLKTYPE, devmajor=259, devminor=2**18 + 1),
    member(f"{_DEEP}/file", b"5"),
    member(f"{'n' * 255}", b"6"),
    member("caf\udce9 \n\t", b"7"),
    member("old", b"8", pax_headers={"mtime": "-1.5"}),
    member("precise", b"9", pax_headers={"mtime": "1600000000.123456789"}),
    member("d/.wh.gone"),
    directory("opaque"),
    member("opaque/.wh..wh..opq"),
]


def test_unpacked_and_packed_again_a_layer_is_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    size = unpack(io.BytesIO(layer(MEMBERS)), first)
    packed = _packed(first)
    assert unpack(io.BytesIO(packed), second, whole=True) == size
    wanted, got = _described(first), _described(second)
    del wanted["."], got["."]  # as with an upper directory, only what is in it is packed
    assert got == wanted
    assert _packed(second) == packed
    # That the description tells what matters:
    assert wanted["d/huge-owner"][2:4] == (2**32 - 2, 2**32 - 2)
    assert wanted["d/capable"][6] == {"security.capability": _CAPABILITY}
    assert wanted["d/attributes"][6] == {"user.note": b"\xff\x00\n=", "trusted.note": b"t"}
    assert wanted["opaque"][6] == {"trusted.overlay.opaque": b"y"}
    assert stat.S_IMODE(wanted["top-name"][0]) == 0o6755
    assert (wanted["d/setuid"][1], wanted["d/block"][4]) == (3, os.makedev(259, 2**18 + 1))
    assert wanted["d/gone"][4] == 0
    assert wanted["old"][5] == -1_500_000_000


def test_a_sparse_file_keeps_its_bytes(tmp_path: Path) -> None:
    """Packed it is as long as it says; as Docker does, holes are zeros in the archive."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    pax = {"GNU.sparse.map": "4096,4,8192,4", "GNU.sparse.size": "12288", "GNU.sparse.name": "s"}
    unpack(io.BytesIO(layer([member("s", b"onestwos", pax_headers=pax)])), first)
    wanted = bytes(4096) + b"ones" + bytes(4092) + b"twos" + bytes(4092)
    assert (first / "s").read_bytes() == wanted
    unpack(io.BytesIO(_packed(first)), second)
    assert (second / "s").read_bytes() == wanted


def _packed(root: Path) -> bytes:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return b"".join(Packer(layer=True).pack(descriptor, ".", ""))
    finally:
        os.close(descriptor)


def _described(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything about everything: mode, links, owner, device, time, attributes, contents."""
    found = {}
    for place, directories, names in os.walk(root):
        for name in (".", *directories, *names) if place == str(root) else (*directories, *names):
            path = os.path.join(place, name)
            there = os.lstat(path)
            attributes = {
                key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)
            }
            text: object = None
            if stat.S_ISLNK(there.st_mode):
                text = os.readlink(path)
            elif stat.S_ISREG(there.st_mode):
                text = Path(path).read_bytes()
            found[os.path.relpath(path, root)] = (
                there.st_mode,
                there.st_nlink,
                there.st_uid,
                there.st_gid,
                there.st_rdev,
                0 if stat.S_ISCHR(there.st_mode) and not there.st_rdev else there.st_mtime_ns,
                attributes,
                text,
            )
    return found
