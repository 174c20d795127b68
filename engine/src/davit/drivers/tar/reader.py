"""Reading a tar stream, front to back, once.

The standard library's reader takes a damaged header in the middle for the end of the archive; here
it is an error. Formats: POSIX ustar and pax, GNU (long names, base-256 numbers, sparse files).
Source: POSIX.1-2017 ``pax``; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

from collections.abc import Iterator

from davit.drivers.tar import kinds
from davit.drivers.tar.header import BLOCK, Entry, check, decode, has_contents, parse
from davit.drivers.tar.stream import CHUNK, Source
from davit.errors import InvalidParameter

_LONGEST_HEADER = 8 << 20
_XATTR = "SCHILY.xattr."
_HOLE_END = (0, 0)


class TarReader:
    """Iterate over it for the entries; ``read`` gives the present entry's contents.

    Contents that nobody read are skipped. Raises InvalidParameter for damaged or cut-off archives.
    ``ended`` tells, afterwards, whether the end mark was there.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        # Read in large pieces: headers and most files are smaller than what reading costs.
        self._buffer = b""
        self._at = 0
        self._left = 0
        self._padding = 0
        self._globals: dict[str, bytes] = {}
        self.ended = False

    @property
    def pending(self) -> int:
        """Bytes that were read from the source and not used yet."""
        return len(self._buffer) - self._at

    def __iter__(self) -> Iterator[Entry]:
        while (entry := self._next()) is not None:
            yield entry

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the entry's stored contents, empty at their end."""
        wanted = min(size, self._left)
        if wanted <= 0:
            return b""
        data = self._some(wanted)
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
            entry = parse(block)
            if entry is None:
                self.ended = True
                return None
            if entry.size < 0:
                raise InvalidParameter(f"the tar archive is damaged: negative size {entry.size}")
            self._left = entry.stored
            self._padding = -self._left % BLOCK
            if entry.type == kinds.XGLTYPE:
                self._extend(self._globals)
            elif entry.type in (kinds.XHDTYPE, kinds.SOLARIS_XHDTYPE):
                self._extend(pax)
            elif entry.type == kinds.GNUTYPE_LONGNAME:
                long_name = decode(self._header_text().rstrip(b"\0"))
            elif entry.type == kinds.GNUTYPE_LONGLINK:
                long_link = decode(self._header_text().rstrip(b"\0"))
            else:
                break
        entry.name = long_name or entry.name
        entry.linkname = long_link or entry.linkname
        if entry.type == kinds.GNUTYPE_SPARSE:
            self._gnu_sparse(entry, block)
        if pax or self._globals:
            self._apply({**self._globals, **pax}, entry)
        check(entry)
        return entry

    def _extend(self, records: dict[str, bytes]) -> None:
        """Read further records. Headers may follow each other without end; memory must not."""
        records.update(_pax_records(self._header_text()))
        if sum(len(key) + len(value) for key, value in records.items()) > _LONGEST_HEADER:
            raise InvalidParameter("the tar archive is damaged: endless extended headers")

    def _apply(self, pax: dict[str, bytes], entry: Entry) -> None:
        for key, value in pax.items():
            if key == "path":
                entry.name = decode(value)
            elif key == "linkpath":
                entry.linkname = decode(value)
            elif key in ("uid", "gid"):
                setattr(entry, key, _number(value))
            elif key == "mtime":
                entry.mtime = _nanoseconds(value)
            elif key == "size" and has_contents(entry.type):
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
        entry.type = kinds.REGTYPE
        entry.pieces = pieces

    def _pax_sparse(self, pax: dict[str, bytes], entry: Entry) -> None:
        """Formats 0.1 (map in the header) and 1.0 (map before the contents)."""
        entry.name = decode(
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
        while self._padding and (data := self._some(self._padding)):
            self._padding -= len(data)
        self._padding = 0

    def _block(self) -> bytes | None:
        """Return the next header block, None when the stream ends cleanly before it."""
        first = self._some(BLOCK)
        if not first:
            return None
        return first if len(first) == BLOCK else first + self._source_exactly(BLOCK - len(first))

    def _source_exactly(self, size: int) -> bytes:
        data = self._some(size)
        while len(data) < size:
            more = self._some(size - len(data))
            if not more:
                raise InvalidParameter("the tar archive is truncated: it ends inside a block")
            data += more
        return data

    def _some(self, size: int) -> bytes:
        """Return up to ``size`` bytes, empty at the end of the stream."""
        at = self._at
        if at == len(self._buffer):
            if size >= CHUNK:
                return self._source.read(size)
            self._buffer, at = self._source.read(CHUNK), 0
        data = self._buffer[at : at + size]
        self._at = at + len(data)
        return data


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
        records[decode(key)] = value[:-1]
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
