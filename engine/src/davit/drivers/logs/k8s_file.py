"""conmon's log format: ``TIME STREAM TAG TEXT``, one line each.

TIME is RFC 3339 with nanoseconds and a zone; STREAM ``stdout`` or ``stderr``; TAG ``F`` for a text
that ended with a newline and ``P`` for a part, whose line goes on in the stream's next entry.
Source: conmon, ``src/ctr_logging.c``; Kubernetes calls the same format CRI.
"""

from __future__ import annotations

import re

from davit.model.logs import LogBlock
from davit.model.runtime import STDERR, STDOUT

MAX_LINE = 16 << 10
"""Longer lines are handed on in pieces of this size, as Docker has them."""

_ENTRY = re.compile(
    rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[-+]\d\d:\d\d)( std(?:out|err) [FP] )", re.MULTILINE
)
_STREAMS = {b" stdout F ": STDOUT, b" stderr F ": STDERR}
_PARTS = {b" stdout P ": STDOUT, b" stderr P ": STDERR}
_END = re.compile(rb"\S{35} std(?:out|err) F ")


class Parser:
    """Turns a log, fed in pieces of any size, into lines. Holds at most a line of each stream."""

    def __init__(self) -> None:
        self._rest = b""
        # Lines whose end has not come: the stamp of the first part, and the text.
        self._begun: dict[int, tuple[bytes, bytes]] = {}

    def feed(self, data: bytes) -> LogBlock:
        """Return the lines that are complete now. What is no log entry is left out."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._rest += data
            return LogBlock([], [], [])
        block = self._rest + data[:end] if self._rest else data[:end]
        self._rest = data[end:]
        # The expression cuts the block into what is before the first entry, and then the stamp, the
        # kind and the text of each: three lists at once, without looking at any line in Python.
        before, *pieces = _ENTRY.split(block)
        kinds, texts = pieces[1::3], pieces[2::3]
        if before or block.count(b"\n") != len(texts):
            texts = [text[: text.index(b"\n") + 1] for text in texts]
        try:
            streams = list(map(_STREAMS.__getitem__, kinds))
        except KeyError:  # parts
            return self._join(pieces[0::3], kinds, texts)
        if self._begun:
            return self._join(pieces[0::3], kinds, texts)
        return LogBlock(streams, pieces[0::3], texts)

    @property
    def is_clean(self) -> bool:
        """Whether all that was fed has been returned."""
        return not self._rest and not self._begun

    def flush(self) -> LogBlock:
        """Return unfinished lines, in the order in which they began."""
        begun = sorted((stamp, stream, text) for stream, (stamp, text) in self._begun.items())
        self._begun.clear()
        lines = LogBlock([], [], [])
        for stamp, stream, text in begun:
            if text:
                _add(lines, stream, stamp, text)
        return lines

    def _join(self, stamps: list[bytes], kinds: list[bytes], texts: list[bytes]) -> LogBlock:
        """Put parts together, each stream's for itself; a line has the time of its first part."""
        lines = LogBlock([], [], [])
        for stamp, kind, text in zip(stamps, kinds, texts, strict=True):
            stream = _STREAMS.get(kind)
            is_part = stream is None
            stream = _PARTS[kind] if stream is None else stream
            if is_part:
                text = text[:-1]  # conmon's newline, and not the container's
            if begun := self._begun.pop(stream, None):
                stamp, text = begun[0], begun[1] + text
            elif not is_part:
                _add(lines, stream, stamp, text)
                continue
            ending = 0 if is_part else 1
            while len(text) - ending >= MAX_LINE:
                _add(lines, stream, stamp, text[:MAX_LINE])
                text = text[MAX_LINE:]
            if is_part:
                self._begun[stream] = stamp, text
            else:
                _add(lines, stream, stamp, text)
        return lines


def is_end_of_line(entry: bytes) -> bool:
    """Whether an entry, without its newline, ends a line of the container's output."""
    return _END.match(entry) is not None


def _add(lines: LogBlock, stream: int, stamp: bytes, text: bytes) -> None:
    lines.streams.append(stream)
    lines.stamps.append(stamp)
    lines.texts.append(text)
