"""Reading a tar stream, front to back, once.

The standard library's reader takes a damaged header in the middle for the end of the archive; here
it is an error. Formats: POSIX ustar and pax, GNU (long names, base-256 numbers, sparse files).
Source: POSIX.1-2017 ``pax``; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from davit.drivers.tar.stream import CHUNK, Source
from davit.errors import InvalidParameter

BLOCK = 512
_LONGEST_HEADER = 8 << 20
# PATH_MAX: no system call takes a longer one.
_LONGEST_NAME = 4095
_XATTR = "SCHILY.xattr."
_HOLE_END = (0, 0)


@dataclass
class Entry:
    """A member's header. type: as in ``tarfile`` (REGTYPE, DIRTYPE, …).

    size: bytes of the file; stored: bytes of it in the archive; holes: the stored pieces as
    (offset, length) of a sparse file, None for an ordinary one. mtime: ns since the epoch.
    """

    name: str
    type: bytes
    mode: int
    uid: int
    gid: int
    size: int
    stored: int
    mtime: int
    linkname: str
    major: int
    minor: int
    xattrs: dict[str, bytes] = field(default_factory=dict)
    pieces: list[tuple[int, int]] | None = None

    @property
    def is_file(self) -> bool:
        return self.type in tarfile.REGULAR_TYPES


class TarReader:
    """Iterate over it for the entries; ``read`` gives the present entry's contents.

    Contents that nobody read are skipped. Raises InvalidParameter for damaged or cut-off archives.
    ``ended`` tells, afterwards, whether the end mark was there.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0
        self._globals: dict[str, bytes] = {}
        self.ended = False

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self._next()) is not None:
            yield entry

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the entry's stored contents, empty at their end."""
        wanted = min(size, self._left)
        if wanted <= 0:
            return b""
        data = self._source.read(wanted)
        if not data:
            raise InvalidParameter(
                f"the tar archive is truncated: {self._left} more bytes of a file were expected"
            )
        self._left -= len(data)
        return data

    def _next(self) -> Entry | None:
        pax: dict[str, bytes] = {}
        long_name = long_link = ""
        while True:
            self._skip()
            block = self._block()
            if block is None:
                return None
            info = _parse(block)
            if info is None:
                self.ended = True
                return None
            if info.size < 0:
                raise InvalidParameter(f"the tar archive is damaged: negative size {info.size}")
            self._left = info.size if _has_contents(info.type) else 0
            self._padding = -self._left % BLOCK
            if info.type == tarfile.XGLTYPE:
                self._extend(self._globals)
            elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                self._extend(pax)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                long_name = _text(self._header_text().rstrip(b"\0"))
            elif info.type == tarfile.GNUTYPE_LONGLINK:
                long_link = _text(self._header_text().rstrip(b"\0"))
            else:
                break
        entry = _entry(info)
        entry.name = long_name or entry.name
        entry.linkname = long_link or entry.linkname
        if info.type == tarfile.GNUTYPE_SPARSE:
            self._gnu_sparse(entry, block)
        if pax or self._globals:
            self._apply({**self._globals, **pax}, entry)
        _check(entry)
        return entry

    def _extend(self, records: dict[str, bytes]) -> None:
        """Read further records. Headers may follow each other without end; memory must not."""
        records.update(_pax_records(self._header_text()))
        if sum(len(key) + len(value) for key, value in records.items()) > _LONGEST_HEADER:
            raise InvalidParameter("the tar archive is damaged: endless extended headers")

    def _apply(self, pax: dict[str, bytes], entry: Entry) -> None:
        for key, value in pax.items():
            if key == "path":
                entry.name = _text(value)
            elif key == "linkpath":
                entry.linkname = _text(value)
            elif key in ("uid", "gid"):
                setattr(entry, key, _number(value))
            elif key == "mtime":
                entry.mtime = _nanoseconds(value)
            elif key == "size" and _has_contents(entry.type):
                entry.size = entry.stored = self._left = _number(value)
                self._padding = -self._left % BLOCK
            elif key.startswith(_XATTR):
                entry.xattrs[key[len(_XATTR) :]] = value
        if any(key.startswith("GNU.sparse.") for key in pax):
            self._pax_sparse(pax, entry)

    def _gnu_sparse(self, entry: Entry, block: bytes) -> None:
        """Old GNU format: four pieces in the header, 21 in each extension block."""
        pieces = _gnu_pieces(block[386:482])
        extended = block[482] != 0
        entry.size = _header_number(block[483:495])
        while extended:
            extension = self._source_exactly(BLOCK)
            pieces += _gnu_pieces(extension[:504])
            extended = extension[504] != 0
        entry.type = tarfile.REGTYPE
        entry.pieces = pieces

    def _pax_sparse(self, pax: dict[str, bytes], entry: Entry) -> None:
        """Formats 0.1 (map in the header) and 1.0 (map before the contents)."""
        entry.name = _text(
            pax.get("GNU.sparse.name", entry.name.encode("utf-8", "surrogateescape"))
        )
        size = pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size"))
        if size is not None:
            entry.size = _number(size)
        if pax.get("GNU.sparse.major") == b"1":
            numbers = self._sparse_map()
        elif "GNU.sparse.map" in pax:
            numbers = [_number(part) for part in pax["GNU.sparse.map"].split(b",") if part]
        else:
            raise InvalidParameter(
                f"{entry.name!r} is a sparse file of pax format 0.0, which repeats header fields: "
                "make the archive with --sparse-version=1.0"
            )
        if len(numbers) % 2:
            raise InvalidParameter(f"the tar archive is damaged: {entry.name!r} has half a piece")
        entry.pieces = list(zip(numbers[::2], numbers[1::2], strict=True))

    def _sparse_map(self) -> list[int]:
        text = b""
        wanted = 1
        while text.count(b"\n") < wanted:
            text += self._contents(BLOCK)
            if b"\n" in text:
                wanted = 1 + 2 * _number(text.split(b"\n", 1)[0])
            if len(text) > _LONGEST_HEADER:
                raise InvalidParameter("the tar archive is damaged: endless sparse map")
        return [_number(part) for part in text.split(b"\n")[1:wanted]]

    def _header_text(self) -> bytes:
        if self._left > _LONGEST_HEADER:
            raise InvalidParameter(
                f"the tar archive is damaged: an extended header of {self._left} bytes"
            )
        return self._contents(self._left)

    def _contents(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.read(size - len(data))
            if not piece:
                raise InvalidParameter("the tar archive is damaged: a header ends too early")
            data += piece
        return bytes(data)

    def _skip(self) -> None:
        """Move to the next header."""
        while self._left:
            self.read(CHUNK)
        # The Docker CLI leaves what fills the last block out when it has put a Dockerfile in.
        while self._padding and (data := self._source.read(self._padding)):
            self._padding -= len(data)
        self._padding = 0

    def _block(self) -> bytes | None:
        """Return the next header block, None when the stream ends cleanly before it."""
        first = self._source.read(BLOCK)
        if not first:
            return None
        return first if len(first) == BLOCK else first + self._source_exactly(BLOCK - len(first))

    def _source_exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        while len(data) < size:
            more = self._source.read(size - len(data))
            if not more:
                raise InvalidParameter("the tar archive is truncated: it ends inside a block")
            data += more
        return data


def _parse(block: bytes) -> tarfile.TarInfo | None:
    """Return the header, None for the end mark. Raises InvalidParameter."""
    if not block.strip(b"\0"):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise InvalidParameter(f"this is not a tar archive, or it is damaged: {error}") from None


def _entry(info: tarfile.TarInfo) -> Entry:
    contents = _has_contents(info.type)
    return Entry(
        name=info.name,
        type=info.type,
        mode=info.mode & 0o7777,
        uid=info.uid,
        gid=info.gid,
        size=info.size if contents else 0,
        stored=info.size if contents else 0,
        mtime=int(info.mtime) * 10**9,
        linkname=info.linkname,
        major=info.devmajor,
        minor=info.devminor,
    )


def _check(entry: Entry) -> None:
    """Refuse what no system call takes, and pieces of a sparse file that overlap."""
    for text in (entry.name, entry.linkname):
        if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
            raise InvalidParameter(
                f"refused: the archive has a path of more than {_LONGEST_NAME} bytes: "
                f"{text[:100]!r}…"
            )
    if any("\0" in text for text in (entry.name, entry.linkname, *entry.xattrs)):
        raise InvalidParameter(f"the tar archive is damaged: {entry.name!r} has a null byte")
    if entry.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) and not entry.linkname:
        raise InvalidParameter(f"the tar archive is damaged: {entry.name!r} links to nothing")
    numbers = {
        "uid": (entry.uid, 1 << 32),
        "gid": (entry.gid, 1 << 32),
        "size": (entry.size, 1 << 63),
        "mtime": (abs(entry.mtime), 1 << 63),
        "devmajor": (entry.major, 1 << 32),
        "devminor": (entry.minor, 1 << 32),
    }
    for name, (value, limit) in numbers.items():
        if not 0 <= value < limit:
            raise InvalidParameter(
                f"the tar archive is damaged: {entry.name!r} has the {name} {value}"
            )
    end = 0
    for offset, length in entry.pieces or ():
        if offset < end or offset + length > entry.size:
            raise InvalidParameter(
                f"the tar archive is damaged: the sparse map of {entry.name!r} is wrong"
            )
        end = offset + length


def _has_contents(kind: bytes) -> bool:
    """Links, devices and directories have none, whatever their size field says."""
    return kind not in (
        tarfile.LNKTYPE,
        tarfile.SYMTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
    )


def _pax_records(text: bytes) -> dict[str, bytes]:
    """``<length> <key>=<value>\\n`` …"""
    records = {}
    while text.strip(b"\0"):
        digits, space, _ = text.partition(b" ")
        length = _number(digits) if space else 0
        record = text[len(digits) + 1 : length]
        key, equals, value = record.partition(b"=")
        if not equals or length > len(text) or not value.endswith(b"\n"):
            raise InvalidParameter("the tar archive is damaged: a bad pax header")
        records[_text(key)] = value[:-1]
        text = text[length:]
    return records


def _gnu_pieces(block: bytes) -> list[tuple[int, int]]:
    pairs = (
        (_header_number(block[start : start + 12]), _header_number(block[start + 12 : start + 24]))
        for start in range(0, len(block) - 23, 24)
        if block[start : start + 24].strip(b"\0")
    )
    return [pair for pair in pairs if pair != _HOLE_END]


def _header_number(raw: bytes) -> int:
    """Octal text, or base-256 when the first bit is set."""
    if raw[:1] >= b"\x80":
        return int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
    return _number(raw.strip(b" \0") or b"0", 8)


def _number(raw: bytes, base: int = 10) -> int:
    try:
        value = int(raw, base)
    except ValueError:
        raise InvalidParameter(f"the tar archive is damaged: {raw[:20]!r} is no number") from None
    if value < 0:
        raise InvalidParameter(f"the tar archive is damaged: negative number {value}")
    return value


def _nanoseconds(raw: bytes) -> int:
    """Seconds since the epoch as a decimal fraction, maybe negative."""
    whole, _, fraction = raw.partition(b".")
    negative = whole.startswith(b"-")
    nanoseconds = _number(whole.lstrip(b"-") or b"0") * 10**9
    nanoseconds += _number(fraction[:9].ljust(9, b"0")) if fraction else 0
    return -nanoseconds if negative else nanoseconds


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
