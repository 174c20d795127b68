import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from davit.drivers.tar.unpack import unpack
from davit.errors import InvalidParameter, SystemFailure
from tests.engine.imagekit import directory, hard_link, layer, member, symlink

FORMATS = pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


def put(root: Path, *members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> int:
    return unpack(io.BytesIO(layer(members, kind)), root)


@FORMATS
def test_files_directories_and_links(root: Path, kind: int) -> None:
    size = put(
        root,
        directory("./", 0o711),
        directory("d", 0o1777, uid=5, gid=6),
        member("d/file", b"hello", mode=0o4750, uid=1000, gid=2**31, uname="", gname=""),
        symlink("d/sym", "../../outside"),
        hard_link("d/hard", "d/file", mode=0o4750, uid=1000, gid=2**31, uname="", gname=""),
        member("d/fifo", kind=tarfile.FIFOTYPE, mode=0o600),
        member("d/null", kind=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
        member("missing/parent/file", b"x"),
        kind=kind,
    )
    # Links count with their length, as Docker has it.
    assert size == 6 + len("../../outside")
    assert stat.S_IMODE(root.stat().st_mode) == 0o711
    there = (root / "d").stat()
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid) == (0o1777, 5, 6)
    there = (root / "d/file").stat()
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid) == (0o4750, 1000, 2**31)
    assert (root / "d/file").read_bytes() == b"hello"
    assert (root / "d/hard").stat().st_ino == there.st_ino
    assert (root / "d/sym").readlink() == Path("../../outside")
    assert (root / "d/fifo").is_fifo()
    assert (root / "d/null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_IMODE((root / "missing/parent").stat().st_mode) == 0o755


def test_the_last_name_of_a_file_says_whose_it_is(root: Path) -> None:
    """As in Docker: the attributes that a hard link's header has are set."""
    put(
        root,
        member("f", b"1", mode=0o4755, uid=7, gid=8),
        hard_link("l", "f", mode=0o640, uid=9, gid=10, mtime=5),
        symlink("s", "f"),
        hard_link("t", "s", uid=3, gid=4),
    )
    there = (root / "f").stat()
    assert stat.S_IMODE(there.st_mode) == 0o640
    assert (there.st_uid, there.st_gid, there.st_mtime) == (9, 10, 5)
    assert (root / "s").lstat().st_uid == 3


def test_a_hard_link_that_says_the_same_takes_no_capability(root: Path) -> None:
    value = bytes.fromhex("0100000200040000000000000000000000000000")
    attribute = {"SCHILY.xattr.security.capability": value.decode("utf-8", "surrogateescape")}
    fields: dict[str, Any] = {"mode": 0o755, "uid": 5, "gid": 6}
    put(root, member("f", b"1", pax_headers=attribute, **fields), hard_link("l", "f", **fields))
    assert os.getxattr(root / "f", "security.capability") == value


def test_files_do_not_take_their_directorys_group(root: Path) -> None:
    """A set-group-ID directory would give it to them."""
    put(
        root,
        directory("d", 0o2755, gid=8),
        member("d/roots", b"1"),
        member("d/own", b"1", uid=3, gid=4),
        member("d/set", b"1", mode=0o6755),
    )
    there = {name: (root / "d" / name).stat() for name in ("roots", "own", "set")}
    assert {name: (it.st_uid, it.st_gid) for name, it in there.items()} == {
        "roots": (0, 0),
        "own": (3, 4),
        "set": (0, 0),
    }
    assert stat.S_IMODE(there["set"].st_mode) == 0o6755


@FORMATS
def test_long_names(root: Path, kind: int) -> None:
    deep = "/".join(["x" * 90] * 5)
    put(root, member(f"{deep}/file", b"1"), symlink("link", deep), kind=kind)
    assert (root / "link/file").read_bytes() == b"1"


def test_names_that_are_not_utf8(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    put(root, member(name, b"1"), kind=tarfile.GNU_FORMAT)
    assert os.listdir(os.fsencode(root)) == [b"caf\xe9"]


def test_times_to_the_nanosecond(root: Path) -> None:
    pax = {"mtime": "1600000000.123456789"}
    put(
        root,
        directory("d", pax_headers=pax),
        member("d/file", b"1", pax_headers=pax),
        member("old", b"1", pax_headers={"mtime": "-1.5"}),
    )
    assert (root / "d").stat().st_mtime_ns == 1600000000123456789
    assert (root / "d/file").stat().st_mtime_ns == 1600000000123456789
    assert (root / "old").stat().st_mtime_ns == -1500000000


def test_extended_attributes(root: Path) -> None:
    capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    put(
        root,
        member(
            "file",
            b"1",
            uid=7,
            pax_headers={"SCHILY.xattr.security.capability": os.fsdecode(capability)},
        ),
        directory("d", pax_headers={"SCHILY.xattr.user.note": "hi"}),
    )
    assert os.getxattr(root / "file", "security.capability") == capability
    assert os.getxattr(root / "d", "user.note") == b"hi"


def test_attributes_that_overlayfs_obeys_are_left_out(root: Path) -> None:
    pax = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.note": "hi"}
    put(root, directory("d", pax_headers=pax))
    assert os.listxattr(root / "d") == ["trusted.note"]


def test_whiteouts(root: Path) -> None:
    put(
        root,
        directory("d"),
        member("d/.wh.gone"),
        member("new/.wh.gone"),
        member("d/.wh..wh..opq"),
        member(".wh..wh.plnk"),
        directory(".wh..wh.aufs"),
    )
    for path in (root / "d/gone", root / "new/gone"):
        there = path.lstat()
        assert stat.S_ISCHR(there.st_mode)
        assert there.st_rdev == 0
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    assert sorted(os.listdir(root)) == ["d", "new"]


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_whiteout_hides_lower_layers_only(root: Path, whiteout_first: bool) -> None:
    whiteouts = [member(".wh.d"), member(".wh.f")]
    present = [directory("d"), member("d/x", b"1"), member("f", b"2")]
    put(root, *([*whiteouts, *present] if whiteout_first else [*present, *whiteouts]))
    assert (root / "d/x").read_bytes() == b"1"
    assert (root / "f").read_bytes() == b"2"
    # What the lower layers have in d must not show through.
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"


def test_later_members_win(root: Path) -> None:
    put(
        root,
        member("a", b"first"),
        member("a", b"second"),
        directory("d"),
        member("d/x", b"1"),
        directory("d", 0o700),
        directory("e"),
        member("e/x", b"1"),
        member("e", b"now a file"),
        symlink("s", "d"),
        directory("s"),
        member("s/y", b"1"),
    )
    assert (root / "a").read_bytes() == b"second"
    assert (root / "d/x").read_bytes() == b"1"
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o700
    assert (root / "e").read_bytes() == b"now a file"
    assert os.listdir(root / "d") == ["x"]


def test_parents_may_be_links_inside_the_root(root: Path) -> None:
    put(
        root,
        directory("usr/lib"),
        symlink("lib", "usr/lib"),
        symlink("lib64", "/usr/lib"),
        member("lib/a", b"1"),
        member("lib64/b", b"2"),
        hard_link("lib64/c", "lib/a"),
    )
    assert sorted(os.listdir(root / "usr/lib")) == ["a", "b", "c"]


@pytest.mark.parametrize("flag", ["--format=gnu", "--format=pax"])
@pytest.mark.parametrize("version", ["0.1", "1.0"])
def test_sparse_files(root: Path, tmp_path: Path, flag: str, version: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        for offset in range(0, 40 << 20, 1 << 20):
            file.seek(offset)
            file.write(b"data")
        file.truncate(50 << 20)
    (source / "z-plain").write_bytes(b"after")
    archive = subprocess.run(
        ["tar", "-C", source, "-S", flag, f"--sparse-version={version}", "-cf", "-", "."],
        check=True,
        capture_output=True,
    ).stdout
    assert unpack(io.BytesIO(archive), root) == (50 << 20) + 5
    assert (root / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (root / "sparse").stat().st_blocks * 512 < 1 << 20
    assert (root / "z-plain").read_bytes() == b"after"


HOSTILE = {
    "absolute name": [member("/tmp/evil", b"1")],
    "name that climbs": [member("../evil", b"1")],
    "name that climbs later": [directory("a"), member("a/../../evil", b"1")],
    "directory that climbs": [directory("../evil")],
    "whiteout that climbs": [member("../.wh.victim")],
    "opaque mark that climbs": [member("../.wh..wh..opq")],
    "file through a link that climbs": [symlink("l", ".."), member("l/evil", b"1")],
    "file through a deeper link": [
        directory("a/b"),
        symlink("a/b/l", "../../../.."),
        member("a/b/l/evil", b"1"),
    ],
    "file through a chain of links": [
        symlink("one", "two"),
        symlink("two", "../"),
        member("one/evil", b"1"),
    ],
    "file through an absolute link to nothing": [symlink("l", "/no/such"), member("l/evil", b"1")],
    "directory through a link": [symlink("l", ".."), directory("l/evil")],
    "whiteout through a link": [symlink("l", ".."), member("l/.wh.victim")],
    "opaque mark through a link": [symlink("l", ".."), member("l/.wh..wh..opq")],
    "device through a link": [
        symlink("l", ".."),
        member("l/evil", kind=tarfile.CHRTYPE, devmajor=1, devminor=3),
    ],
    "hard link to an absolute name": [hard_link("l", "/etc/hostname")],
    "hard link that climbs": [hard_link("l", "../victim")],
    "hard link through a link": [symlink("s", ".."), hard_link("l", "s/victim")],
    "hard link into a link": [symlink("s", ".."), member("f", b"1"), hard_link("s/evil", "f")],
    "hard link to nothing": [hard_link("l", "no/such")],
    "hard link to a directory": [directory("d"), hard_link("l", "d")],
    "links in a circle": [symlink("a", "b"), symlink("b", "a"), member("a/evil", b"1")],
    "file below a file": [member("f", b"1"), member("f/evil", b"1")],
    "file in the place of a link's target": [
        symlink("victim", "../victim"),
        directory("victim/x"),
        symlink("victim/x/l", "../.."),
        member("victim/x/l/../evil", b"1"),
    ],
    "root as a hard link": [hard_link("l", ".")],
    "unknown type": [member("x", b"", kind=b"Z")],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_touch_nothing_outside(
    root: Path, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    before = _outside(tmp_path)
    with pytest.raises(InvalidParameter):
        put(root, *members)
    assert _outside(tmp_path) == before


def test_a_link_out_of_the_root_that_nothing_goes_through_is_a_link(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    put(root, symlink("l", "../victim"), member("l", b"a file now"))
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert (root / "l").read_bytes() == b"a file now"


def test_a_null_byte_in_a_name(root: Path) -> None:
    with pytest.raises(InvalidParameter, match="null byte"):
        put(root, member("x", b"1", pax_headers={"path": "a\0b"}))


def _patched(field: slice, value: bytes) -> bytes:
    """A one-file tar whose header has other bytes in a field, with a right checksum."""
    data = bytearray(layer([member("a", b"x" * 600)], tarfile.GNU_FORMAT))
    data[field] = value
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        _patched(slice(124, 136), b"\xff" * 12),
        _patched(slice(124, 136), b"\x80" + b"\x7f" * 11),
        _patched(slice(108, 116), b"\xff" * 8),
        _patched(slice(108, 116), b"\x80" + b"\x7f" * 7),
        _patched(slice(136, 148), b"\x80" + b"\x7f" * 11),
        layer([member("a", kind=tarfile.SYMTYPE)]),
        layer([member("a" * 300, b"1")]),
        layer([member("a", b"1", pax_headers={"SCHILY.xattr.user.a\0b": "1"})]),
        layer([member("a", kind=tarfile.SYMTYPE, pax_headers={"linkpath": "a\0b"})]),
        layer([member("a", b"1", pax_headers={"mtime": "soon"})]),
        layer([member("a", b"1", pax_headers={"size": "-1"})]),
    ],
    ids=[
        "negative size",
        "huge size",
        "negative uid",
        "huge uid",
        "huge time",
        "link to nothing",
        "long component",
        "null byte in an attribute",
        "null byte in a link",
        "word for a time",
        "negative size in pax",
    ],
)
def test_values_that_no_file_has(root: Path, data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        unpack(io.BytesIO(data), root)


@pytest.mark.parametrize(
    "pieces", ["0,4,2,4", "0,4,8,100", "4,4,0,4", "0,4,8", "0,-4", "x"], ids=str
)
def test_bad_sparse_maps(root: Path, pieces: str) -> None:
    pax = {"GNU.sparse.map": pieces, "GNU.sparse.size": "50", "GNU.sparse.name": "a"}
    with pytest.raises(InvalidParameter):
        put(root, member("a", b"x" * 8, pax_headers=pax))


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=True)
    try:
        with pytest.raises(SystemFailure, match=r"'big'.*No space left"):
            put(small, member("big", b"x" * (1 << 20)))
    finally:
        subprocess.run(["umount", small], check=True)


def test_every_cut_is_noticed(root: Path, tmp_path: Path) -> None:
    whole = layer([member("a", b"x" * 1000), member("b" * 150, b"y" * 600)])
    end = whole.rindex(b"y") + 1
    end += -end % 512
    for length in range(0, end, 100):
        target = tmp_path / f"cut-{length}"
        target.mkdir()
        with pytest.raises(InvalidParameter):
            unpack(io.BytesIO(whole[:length]), target, whole=True)
    unpack(io.BytesIO(whole[: end + 512]), root, whole=True)


@pytest.mark.parametrize("position", [0, 100, 148, 1536])
def test_a_damaged_header_is_an_error(root: Path, position: int) -> None:
    data = bytearray(layer([member("a", b"x" * 1000), member("b", b"y")]))
    data[position] ^= 0xFF
    with pytest.raises(InvalidParameter, match="damaged"):
        unpack(io.BytesIO(data), root)


def test_what_is_no_tar(root: Path) -> None:
    with pytest.raises(InvalidParameter, match="not a tar archive"):
        unpack(io.BytesIO(b"<html>" * 200), root)


def _outside(path: Path) -> list[tuple[str, bytes, list[str], int]]:
    """All there is beside the root: names, contents, attributes, kinds."""
    found = [(".", b"", os.listxattr(path), path.stat().st_mode)]
    for entry in sorted(path.iterdir()):
        if entry.name != "root":
            data = entry.read_bytes() if entry.is_file() else b""
            found.append((entry.name, data, os.listxattr(entry), entry.lstat().st_mode))
    return found
