"""One header of a tar: 512 bytes.

Source: POSIX.1-2017 ``pax``, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache

from davit.drivers.tar import kinds
from davit.errors import InvalidParameter

BLOCK = 512
# PATH_MAX: no system call takes a longer one.
_LONGEST_NAME = 4095
_END = bytes(BLOCK)
# Not read: the magic and the names of user and group.
_HEADER = struct.Struct("100s 8s 8s 8s 12s 12s 8s c 100s 72x 8s 8s 155s 12x")
_NEGATIVE = 0xFF
_BASE_256 = (0x80, _NEGATIVE)
_ID_END, _SIZE_END = 1 << 32, 1 << 63


@dataclass
class Entry:
    """A member's header. type: one of ``kinds`` (REGTYPE, DIRTYPE, …).

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
        return self.type in kinds.REGULAR_TYPES


def parse(block: bytes) -> Entry | None:
    """Return the header's entry, None for the end mark. Raises InvalidParameter."""
    if block == _END:
        return None
    (name, mode, uid, gid, size, mtime, checksum, kind, link, major, minor, prefix) = (
        _HEADER.unpack(block)
    )
    try:
        _check_sum(block, _octal(checksum))
        name = name.partition(b"\0")[0]
        if kind == kinds.AREGTYPE and name.endswith(b"/"):
            kind = kinds.DIRTYPE  # how the oldest archives tell a directory
        prefix = prefix.partition(b"\0")[0]
        if prefix and kind not in kinds.GNU_TYPES:
            name = prefix + b"/" + name
        contents = _octal(size)
        stored = contents if has_contents(kind) else 0
        is_device = kind in (kinds.CHRTYPE, kinds.BLKTYPE)
        return Entry(
            name=decode(name),
            type=kind,
            mode=_octal(mode) & 0o7777,
            uid=_octal(uid),
            gid=_octal(gid),
            size=stored,
            stored=stored,
            mtime=_octal(mtime) * 10**9,
            linkname=decode(link.partition(b"\0")[0]),
            major=_octal(major) if is_device else 0,
            minor=_octal(minor) if is_device else 0,
        )
    except ValueError as error:
        raise InvalidParameter(f"this is not a tar archive, or it is damaged: {error}") from None


@lru_cache(256)  # most headers have the mode, owner and time of the one before
def _octal(raw: bytes) -> int:
    """Octal text, or base-256 when the first bit is set, then with a sign."""
    if raw[0] in _BASE_256:
        return int.from_bytes(raw[1:], "big") - (raw[0] == _NEGATIVE) * (1 << 8 * len(raw) - 8)
    return int(raw.partition(b"\0")[0].strip() or b"0", 8)


def _check_sum(block: bytes, stated: int) -> None:
    """Raises ValueError. The checksum itself counts as eight blanks."""
    blanks = 8 * 0x20 - sum(block[148:156])
    # The low half of Adler-32 is one more than the sum, if that is less than 65,521: as with names
    # in ASCII. It takes a tenth of the time of ``sum``.
    if stated == (zlib.adler32(block) & 0xFFFF) - 1 + blanks:
        return
    total = sum(block) + blanks
    # Very old programs add signed characters.
    high = sum(byte >= 0x80 for byte in block[:148] + block[156:])
    if stated not in (total, total - 0x100 * high):
        raise ValueError("bad checksum")


def check(entry: Entry) -> None:
    """Refuse what no system call takes, and pieces of a sparse file that overlap."""
    for path in (entry.name, entry.linkname):
        # A character takes four bytes at most.
        if (
            len(path) > _LONGEST_NAME // 4
            and len(path.encode("utf-8", "surrogateescape")) > _LONGEST_NAME
        ):
            raise InvalidParameter(
                f"refused: the archive has a path of more than {_LONGEST_NAME} bytes: "
                f"{path[:100]!r}…"
            )
    if "\0" in entry.name or "\0" in entry.linkname or "\0" in "".join(entry.xattrs):
        raise InvalidParameter(f"the tar archive is damaged: {entry.name!r} has a null byte")
    if entry.type in (kinds.SYMTYPE, kinds.LNKTYPE) and not entry.linkname:
        raise InvalidParameter(f"the tar archive is damaged: {entry.name!r} links to nothing")
    if not (
        0 <= entry.uid < _ID_END
        and 0 <= entry.gid < _ID_END
        and 0 <= entry.size < _SIZE_END
        and abs(entry.mtime) < _SIZE_END
        and 0 <= entry.major < _ID_END
        and 0 <= entry.minor < _ID_END
    ):
        raise InvalidParameter(
            f"the tar archive is damaged: the header of {entry.name!r} has a number that is out of "
            f"range: uid {entry.uid}, gid {entry.gid}, size {entry.size}, mtime {entry.mtime} ns, "
            f"device {entry.major}, {entry.minor}"
        )
    end = 0
    for offset, length in entry.pieces or ():
        if offset < end or offset + length > entry.size:
            raise InvalidParameter(
                f"the tar archive is damaged: the sparse map of {entry.name!r} is wrong"
            )
        end = offset + length


def has_contents(kind: bytes) -> bool:
    """Links, devices and directories have none, whatever their size field says."""
    return kind not in (
        kinds.LNKTYPE,
        kinds.SYMTYPE,
        kinds.CHRTYPE,
        kinds.BLKTYPE,
        kinds.DIRTYPE,
        kinds.FIFOTYPE,
    )


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
