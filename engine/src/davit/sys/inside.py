"""Paths below a directory, as a process sees them that has it as its ``/``: openat2(2).

The kernel resolves links and ``..`` within the directory, whoever changes the tree meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os

_OPENAT2 = 437  # the same on all architectures
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS = 0x02, 0x04
_RESOLVE_BENEATH, _RESOLVE_IN_ROOT = 0x08, 0x10

_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def open_inside(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open ``path`` below the directory ``root`` and return the descriptor. Raises OSError.

    With ``O_PATH | O_NOFOLLOW`` a link at the end is itself opened.
    """
    return _open(root, path, flags, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)


def open_without_links(root: int, path: str, flags: int) -> int:
    """The same for a path in which no link and no ``..`` may be. Raises OSError."""
    return _open(root, path, flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)


def path_inside(root: int, descriptor: int) -> str:
    """The absolute path of an open file below ``root``, without links."""
    base = os.readlink(f"/proc/self/fd/{root}").rstrip("/")
    return os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(base) or "/"


def _open(root: int, path: str, flags: int, mode: int, resolve: int) -> int:
    how = _How(flags | os.O_CLOEXEC, mode, resolve)
    relative = path.lstrip("/") or "."
    while True:
        result: int = _libc.syscall(
            _OPENAT2, root, os.fsencode(relative), ctypes.byref(how), ctypes.sizeof(how)
        )
        if result >= 0:
            return result
        number = ctypes.get_errno()
        if number != errno.EAGAIN:  # something was renamed meanwhile
            raise OSError(number, os.strerror(number), path)
