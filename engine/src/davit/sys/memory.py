"""What keeps this process small: the C library's allocator (mallopt(3)), and what is not loaded."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import mimetypes
import os
import sys
from collections.abc import Iterator
from typing import Any

from davit.model.stream import PIECE

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 256 << 10
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


def tune_sockets() -> None:
    """Let asyncio read from a socket what fits into memory that is used again.

    Its 256 KiB at a time come fresh from the kernel, page by page: when an image is loaded, that
    was two thirds of all page faults and a fifth of the time in the kernel.
    """
    # It has no public name; without it the loop only is slower.
    from asyncio.selector_events import _SelectorTransport  # type: ignore[attr-defined]

    _SelectorTransport.max_size = PIECE


def trim() -> None:
    """Give memory that starting up needed back to the kernel."""
    gc.collect()
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Let libraries that are imported meanwhile leave out what davitd does not use: 4.5 MB.

    aiohttp is a server and a client, and davitd is a client only where images are pulled: that half
    is loaded when somebody asks for it. It makes two TLS contexts then, and OpenSSL would read all
    the machine's CA certificates into each. The client of registries has a context of its own.

    frozenlist would load the C++ library, for lists that only aiohttp's signals are; here are none.
    And /etc/mime.types is for a server of files.
    """
    mimetypes.knownfiles.clear()
    _postpone_body("aiohttp")
    with _lean_environment():
        yield


def _postpone_body(name: str) -> None:
    """Let a package's modules be imported without what the package itself imports.

    Its own body runs when one of its names is first asked for that is none of its modules.
    """
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    loader = spec.loader
    package = importlib.util.module_from_spec(spec)
    # Its modules have it in headers, which davit sets itself. The body brings the real one.
    vars(package)["__version__"] = ""

    def ask(wanted: str) -> Any:
        if importlib.util.find_spec(f"{name}.{wanted}") is not None:
            raise AttributeError(wanted)  # so that the import goes on
        # Read by children that are started meanwhile, too: those of other threads are nft and cp.
        with _lean_environment():
            loader.exec_module(package)
        vars(package).pop("__getattr__", None)
        return getattr(package, wanted)

    vars(package)["__getattr__"] = ask
    sys.modules[name] = package


@contextlib.contextmanager
def _lean_environment() -> Iterator[None]:
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
