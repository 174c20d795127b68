"""Lines of a container's log."""

from __future__ import annotations

import msgspec

from davit.model.runtime import STDERR, STDOUT


class LogChunk(msgspec.Struct, frozen=True, kw_only=True):
    """A line, or a part of one. time: ns since the epoch; data ends with a newline if it does."""

    stream: int
    time: int
    data: bytes


class LogSelection(msgspec.Struct, frozen=True, kw_only=True):
    """What of a log is wanted. since, until: ns, None for no limit; tail: last lines, None for all.

    follow: go on with what is written until the container ends.
    """

    streams: frozenset[int] = frozenset({STDOUT, STDERR})
    since: int | None = None
    until: int | None = None
    tail: int | None = None
    follow: bool = False
