"""What keeps this process small: the C library's allocator (mallopt(3)), and what is not loaded."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 128 << 10
# Read by OpenSSL (SSL_CTX_set_default_verify_paths(3)) and by frozenlist.
_LEAN = {"SSL_CERT_FILE": os.devnull, "FROZENLIST_NO_EXTENSIONS": "1"}

_libc = ctypes.CDLL(None)


def tune_allocator() -> None:
    """Let all threads allocate from one arena; call it before there are any.

    The interpreter's lock lets them allocate one after the other anyway, and each arena keeps
    memory that the others cannot have. What large buffers had goes back to the kernel at once:
    left to itself the C library begins to keep it, since they come and go. Does nothing where the
    C library has no arenas (musl).
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 1)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        _libc.mallopt(_M_TRIM_THRESHOLD, _LARGE)


def trim() -> None:
    """Give memory that starting up needed back to the kernel."""
    gc.collect()
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Let libraries that are imported meanwhile leave out what davitd does not use: 3 MB.

    aiohttp makes two TLS contexts when it is imported, and OpenSSL would read all the machine's CA
    certificates into each. The client of registries has a context of its own.

    frozenlist would load the C++ library, for lists that only aiohttp's signals are; here are none.
    """
    before = {name: os.environ.get(name) for name in _LEAN}
    os.environ.update(_LEAN)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
