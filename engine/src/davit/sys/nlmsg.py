"""The shape of netlink(7) messages: a header, and attributes that may hold attributes."""

from __future__ import annotations

import struct

NETLINK_NETFILTER = 12
HEADER = struct.Struct("=IHHII")
"""Length, kind, flags, sequence, port; then the body."""
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF

_ATTRIBUTE = struct.Struct("=HH")


def read_attributes(body: memoryview | bytes, start: int = 0) -> dict[int, bytes]:
    """The outermost attributes; of those that come several times the first."""
    found: dict[int, bytes] = {}
    rest = memoryview(body)[start:]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if length < _ATTRIBUTE.size:
            break
        found.setdefault(kind & NLA_TYPE_MASK, bytes(rest[_ATTRIBUTE.size : length]))
        rest = rest[align(length) :]
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, filled up to where the next one may begin."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + bytes(align(size) - size)


def nested(kind: int, value: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | NLA_F_NESTED, value)


def align(length: int) -> int:
    """Where the next attribute or message begins."""
    return (length + 3) & ~3
