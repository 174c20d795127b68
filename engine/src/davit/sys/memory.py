"""What keeps this process small: the C library's allocator (mallopt(3)), and what is not loaded."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator

_M_ARENA_MAX = -8
_CA_FILE = "SSL_CERT_FILE"  # SSL_CTX_set_default_verify_paths(3)

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


@contextlib.contextmanager
def without_ca_certificates() -> Iterator[None]:
    """Let what is imported meanwhile make TLS contexts that hold no CA certificates.

    aiohttp makes two when it is imported, and OpenSSL would read all certificates of the machine
    into each, 2 MB together. The client of registries has a context of its own.
    """
    given = os.environ.get(_CA_FILE)
    os.environ[_CA_FILE] = os.devnull
    try:
        yield
    finally:
        if given is None:
            del os.environ[_CA_FILE]
        else:
            os.environ[_CA_FILE] = given
