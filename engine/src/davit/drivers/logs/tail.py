"""Finding the last lines of a long log without reading all of it."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from davit.drivers.logs import k8s_file
from davit.drivers.logs.trail import Part, Trail, backwards, closing_on_error

BLOCK = 64 << 10


def open_at(log: Path, count: int | None, *, follows: bool = False) -> Trail | None:
    """Open a log at the beginning of its last ``count`` lines; None when there is no log.

    count: None for all. Blocking.
    """
    parts = deque[Part]()
    with closing_on_error(parts):
        start, seen = 0, 0
        for part in backwards(log):
            parts.appendleft(part)
            if count is None:
                continue
            # A line may have begun in the file before.
            part.unpack(log.parent)
            begin, found = offset(part.descriptor, count - seen, is_last=len(parts) == 1)
            if len(parts) > 1 and begin == part.size:
                os.close(parts.popleft().descriptor)
                break
            start, seen = begin, seen + found
            if start or not count:
                break
        if not parts:
            return None
        parts[0].unpack(log.parent)
        os.lseek(parts[0].descriptor, start, os.SEEK_SET)
    return Trail(log, parts, follows=follows)


def offset(descriptor: int, count: int, *, is_last: bool = False) -> tuple[int, int]:
    """Return where the last ``count`` lines of a file begin, and how many there are. Blocking.

    The file is read from its end, block by block, until enough ends of lines have been seen. With
    ``is_last``, entries after the last one (a line that is not finished) count as a line.
    """
    position = os.fstat(descriptor).st_size
    if is_last and count == 0:
        return position, 0
    cut = b""  # the beginning of a block belongs to an entry that begins in the block before
    seen = 0
    while position > 0:
        start = max(0, position - BLOCK)
        block = os.pread(descriptor, position - start, start) + cut
        entries = block.split(b"\n")
        end = start + len(block)
        for entry in reversed(entries[1:] if start else entries):
            if k8s_file.is_end_of_line(entry) or (is_last and entry):
                if seen == count:
                    return end + 1, seen
                seen += 1
            is_last = is_last and not entry
            end -= len(entry) + 1
        cut = entries[0] if start else b""
        position = start
    return 0, seen
