"""The C library's allocator, told that this process is to stay small (glibc's mallopt(3))."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8

_libc = ctypes.CDLL(None)


def share_arena() -> None:
    """Let all threads allocate from one arena; call it before there are any.

    The interpreter's lock lets them allocate one after the other anyway, and each arena keeps
    memory that the others cannot have. Does nothing where the C library has no arenas (musl).
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Give memory that starting up needed back to the kernel."""
    gc.collect()
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
