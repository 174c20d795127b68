"""One daemon for each data root, and the file that says which process it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from davit.errors import Conflict


class RootLock:
    """An exclusive lock on a directory for as long as this process lives or until ``release``."""

    def __init__(self, root: Path) -> None:
        """Take the lock, making the directory. Raises Conflict naming the holder's process."""
        root.mkdir(parents=True, exist_ok=True, mode=0o711)
        path = root / "lock"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode().strip()
            os.close(self._file)
            raise Conflict(
                f"data root {root} is in use by davitd with process ID {holder or 'unknown'}: stop "
                "it first, or choose another --data-root and --run-root"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)


@contextlib.contextmanager
def pidfile(path: Path | None) -> Iterator[None]:
    """Keep this process's ID in a file for as long as the context lasts; None for no file."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
