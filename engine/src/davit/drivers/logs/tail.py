"""Finding the last lines of a long log without reading all of it."""

from __future__ import annotations

import os

from davit.drivers.logs import k8s_file

BLOCK = 64 << 10


def offset(descriptor: int, count: int) -> int:
    """Return where the last ``count`` lines of the log begin. Blocking.

    The log is read from its end, block by block, until enough ends of lines have been seen. Entries
    after the last one (a line that is not finished) count as a line.
    """
    position = os.fstat(descriptor).st_size
    if count == 0:
        return position
    cut = b""  # the beginning of a block belongs to an entry that begins in the block before
    seen = 0
    is_last = True
    while position > 0:
        start = max(0, position - BLOCK)
        block = os.pread(descriptor, position - start, start) + cut
        entries = block.split(b"\n")
        end = start + len(block)
        for entry in reversed(entries[1:] if start else entries):
            if k8s_file.is_end_of_line(entry) or (is_last and entry):
                if seen == count:
                    return end + 1
                seen += 1
            is_last = is_last and not entry
            end -= len(entry) + 1
        cut = entries[0] if start else b""
        position = start
    return 0
