"""How much files take."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def disk_usage(root: Path) -> int:
    """Size of the files below a directory, in bytes, as Docker counts. Blocking.

    A hard-linked file counts once, directories do not count.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    pending = [os.fspath(root)]
    while pending:
        try:
            with os.scandir(pending.pop()) as scan:
                entries = list(scan)
        except FileNotFoundError:
            continue
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(info.st_mode):
                pending.append(entry.path)
            elif info.st_nlink == 1 or (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                total += info.st_size
    return total
