"""Lines of a container's log, and what a log driver's options come to."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from davit.model.runtime import STDERR, STDOUT

_BRAKE = 64 << 20


class LogBlock(NamedTuple):
    """Lines, in three lists of one length, so that a block is worked on without a loop in Python.

    streams: STDOUT or STDERR; stamps: RFC 3339 with nine decimals and a zone, as ``…+00:00``;
    texts: a line with its newline, or a part of one without.
    """

    streams: list[int]
    stamps: list[bytes]
    texts: list[bytes]


class LogSelection(msgspec.Struct, frozen=True, kw_only=True):
    """What of a log is wanted. since, until: ns, None for no limit; tail: last lines, None for all.

    follow: go on with what is written until the container ends.
    """

    streams: frozenset[int] = frozenset({STDOUT, STDERR})
    since: int | None = None
    until: int | None = None
    tail: int | None = None
    follow: bool = False


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a log is kept. max_size: bytes of one file, 0 for no limit; max_file: how many.

    compress: all files but the one that is written.
    """

    max_size: int = 0
    max_file: int = 1
    compress: bool = False

    @property
    def rotates(self) -> bool:
        """Whether davitd keeps earlier files. With one file only, conmon begins it anew itself."""
        return self.max_size > 0 and self.max_file > 1

    @property
    def brake(self) -> int:
        """Bytes after which conmon begins a new file by itself, 0 for never."""
        total = self.max_size * self.max_file
        # davitd is to be first: conmon knows of one file only, and what davitd has not numbered
        # before conmon begins yet another one is lost.
        return max(total, _BRAKE) if self.rotates else total


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A line on its way to a log server. time: ns since the epoch; text: without its newline.

    partial: the line goes on in the stream's next record.
    """

    stream: int
    time: int
    text: bytes
    partial: bool = False
