"""How much files take."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from davit.sys import inside

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# What a directory may be when it is its turn: removed, replaced by a file or a link, or nested
# deeper than a path can tell.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def disk_usage(root: Path) -> int:
    """Size of the files below a directory, in bytes, as Docker counts. Blocking.

    A hard-linked file counts once, directories do not count. Containers may change the tree
    meanwhile: no link of it is followed.
    """
    try:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    total = 0
    seen: set[tuple[int, int]] = set()
    pending = [""]
    try:
        while pending:
            path = pending.pop()
            for name, info in _entries(top, path):
                if stat.S_ISDIR(info.st_mode):
                    pending.append(f"{path}/{name}")
                elif info.st_nlink == 1 or (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    total += info.st_size
    finally:
        os.close(top)
    return total


def _entries(top: int, path: str) -> list[tuple[str, os.stat_result]]:
    try:
        descriptor = inside.open_without_links(top, path, _DIRECTORY)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return []
    found = []
    try:
        with os.scandir(descriptor) as scan:
            for entry in scan:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
    finally:
        os.close(descriptor)
    return found
