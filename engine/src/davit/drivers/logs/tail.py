"""Finding the last lines of a long log without reading all of it."""

from __future__ import annotations

import os
from pathlib import Path

from davit.drivers.logs import k8s_file, segments

BLOCK = 64 << 10


def open_at(log: Path, count: int | None) -> tuple[int, int | None] | None:
    """Open the file of a log in which the last ``count`` lines begin, at their beginning.

    count: None for all. Return its descriptor and its number; None when there is no log. Blocking.
    """
    try:
        current = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        older = segments.earlier(log, os.fstat(current).st_ino)
        number = segments.number_of(log, current) if older else None
        if count is None:
            for file in older:
                try:
                    first = segments.open_segment(file.path)
                except FileNotFoundError:
                    continue
                os.close(current)
                return first, file.number
            return current, number
        start, seen = offset(current, count, is_last=True)
        # A line may have begun in the file before.
        while start == 0 and count and older:
            file = older.pop()
            try:
                before = segments.open_segment(file.path)
            except FileNotFoundError:
                break
            start, found = offset(before, count - seen)
            if start == os.fstat(before).st_size:
                os.close(before)
                start = 0
                break
            os.close(current)
            current, number, seen = before, file.number, seen + found
        os.lseek(current, start, os.SEEK_SET)
    except BaseException:
        os.close(current)
        raise
    return current, number


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
