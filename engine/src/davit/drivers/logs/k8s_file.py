"""conmon's log format: ``TIME STREAM TAG TEXT``, one line each.

TIME is RFC 3339 with nanoseconds and a zone; STREAM ``stdout`` or ``stderr``; TAG ``F`` for a text
that ended with a newline and ``P`` for a part, whose line goes on in the stream's next entry.
Source: conmon, ``src/ctr_logging.c``; Kubernetes calls the same format CRI.
"""

from __future__ import annotations

import functools

from davit.errors import InvalidParameter
from davit.model import times
from davit.model.logs import LogChunk
from davit.model.runtime import STDERR, STDOUT

MAX_LINE = 16 << 10
"""Parts are joined up to this size; Docker cuts lines at the same one."""
_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}
_SECONDS = 19  # length of 2006-01-02T15:04:05


class Parser:
    """Turns a log, fed in pieces of any size, into lines. Holds at most a line of each stream."""

    def __init__(self) -> None:
        self._rest = b""
        self._parts: dict[int, LogChunk] = {}

    def feed(self, data: bytes) -> list[LogChunk]:
        """Return the lines that are complete now. What is no log entry is left out."""
        *entries, self._rest = (self._rest + data).split(b"\n")
        lines = []
        for entry in entries:
            if line := self._take(entry):
                lines.append(line)
        return lines

    def flush(self) -> list[LogChunk]:
        """Return unfinished lines, in the order in which they began."""
        parts = sorted(self._parts.values(), key=lambda part: part.time)
        self._parts.clear()
        return parts

    def _take(self, entry: bytes) -> LogChunk | None:
        chunk = _entry(entry)
        if chunk is None:
            return None
        if begun := self._parts.pop(chunk.stream, None):
            chunk = LogChunk(stream=chunk.stream, time=begun.time, data=begun.data + chunk.data)
        if chunk.data.endswith(b"\n") or len(chunk.data) >= MAX_LINE:
            return chunk
        self._parts[chunk.stream] = chunk
        return None


def is_end_of_line(entry: bytes) -> bool:
    """Whether an entry, without its newline, ends a line of the container's output."""
    return entry.split(b" ", 3)[2:3] == [b"F"]


def _entry(entry: bytes) -> LogChunk | None:
    fields = entry.split(b" ", 3)
    if len(fields) != 4 or fields[1] not in _STREAMS:
        return None
    time = _time(fields[0])
    if time is None:
        return None
    data = fields[3] + b"\n" if fields[2] == b"F" else fields[3]
    return LogChunk(stream=_STREAMS[fields[1]], time=time, data=data)


def _time(text: bytes) -> int | None:
    """Return ns since the epoch for ``2006-01-02T15:04:05.123456789+00:00``."""
    fraction, zone = text[_SECONDS + 1 : _SECONDS + 10], text[_SECONDS + 10 :]
    seconds = _seconds(text[:_SECONDS], zone)
    return None if seconds is None or not fraction.isdigit() else seconds + int(fraction)


@functools.lru_cache(maxsize=64)
def _seconds(text: bytes, zone: bytes) -> int | None:
    """The whole seconds, as ns: the same for many lines."""
    try:
        return times.parse_rfc3339((text + zone).decode("ascii"))
    except (InvalidParameter, UnicodeDecodeError):
        return None
