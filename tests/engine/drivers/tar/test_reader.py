"""Headers as they come from programs of all ages; archives as a whole are in test_unpack."""

import io
import tarfile

import pytest

from davit.drivers.tar.header import Entry
from davit.drivers.tar.reader import TarReader
from davit.errors import InvalidParameter
from tests.engine.imagekit import layer, member


class Dribble:
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._file = io.BytesIO(data)
        self._step = step

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._step))


def only(block: bytes) -> Entry:
    (entry,) = TarReader(io.BytesIO(block + bytes(1024)))
    return entry


def header(**fields: bytes) -> bytes:
    """A header with other bytes in some fields, and the right checksum."""
    places = {"name": 0, "mode": 100, "uid": 108, "gid": 116, "mtime": 136}
    places |= {"type": 156, "link": 157, "prefix": 345}
    block = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    for name, value in fields.items():
        block[places[name] : places[name] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_it_reads_what_the_standard_library_reads(kind: int) -> None:
    members = [
        member(f"{'d' * 60}/{'e' * 60}", b"x" * size, mode=0o4755, uid=size, gid=7, mtime=size)
        for size in (0, 1, 511, 512, 70_000)
    ]
    members.append(member("dev", kind=tarfile.BLKTYPE, devmajor=259, devminor=3))
    data = layer(members, kind)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [
            (info.name, info.type, info.mode, info.uid, info.gid, info.size, info.mtime * 10**9)
            for info in tar
        ]
    found = [
        (it.name, it.type, it.mode, it.uid, it.gid, it.size, it.mtime)
        for it in TarReader(io.BytesIO(data))
    ]
    assert found == expected


@pytest.mark.parametrize("step", [1, 7, 512, 100_000])
def test_contents_do_not_depend_on_the_pieces_that_come(step: int) -> None:
    sizes = (0, 1, 511, 513, 3000) if step < 512 else (0, 1, 513, 65_535, 65_536, 200_000)
    bodies = [bytes([size % 251]) * size for size in sizes]
    data = layer(member(f"f{number}", body) for number, body in enumerate(bodies))
    reader = TarReader(Dribble(data, step))
    found = []
    for _ in reader:
        body = b""
        while piece := reader.read(4096):
            body += piece
        found.append(body)
    assert found == bodies
    assert reader.ended


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\x80" + bytes(7) + b"\1\0\0\0", 1 << 24),
        (b"\xff" * 12, -1),
        (b"\xff" * 11 + b"\x9c", -100),
        (b"17777777777\0", 0o17777777777),
        (b"    1750 \0\0\0", 0o1750),
        (bytes(12), 0),
    ],
)
def test_numbers(raw: bytes, value: int) -> None:
    assert only(header(mtime=raw)).mtime == value * 10**9


@pytest.mark.parametrize("raw", [b"\x81" + bytes(11), b"12345678\xff\0\0\0", b"99"])
def test_what_is_no_number(raw: bytes) -> None:
    with pytest.raises(InvalidParameter, match="not a tar archive, or it is damaged"):
        only(header(mtime=raw))


def test_a_checksum_of_signed_characters() -> None:
    """As programs made it whose compiler took characters for signed."""
    block = bytearray(header(name=b"caf\xe9"))
    block[148:156] = b"%06o\0 " % (int(block[148:154], 8) - 256)
    assert only(bytes(block)).name == "caf\udce9"
    block[148:156] = b"%06o\0 " % (int(block[148:154], 8) - 1)
    with pytest.raises(InvalidParameter, match="bad checksum"):
        only(bytes(block))


def test_a_large_checksum() -> None:
    """Of names with few characters of ASCII."""
    block = header(name=b"\xff" * 100, prefix=b"\xff" * 155, link=b"\xff" * 100)
    assert int(block[148:154], 8) > 1 << 16
    assert only(block).name == "/".join("\udcff" * length for length in (155, 100))
    wrong = b"%06o\0 " % (int(block[148:154], 8) - 1)
    with pytest.raises(InvalidParameter, match="bad checksum"):
        only(block[:148] + wrong + block[156:])


def test_the_oldest_directories() -> None:
    assert only(header(name=b"d/", type=b"\0")).type == tarfile.DIRTYPE
    assert only(header(name=b"f", type=b"\0")).is_file
