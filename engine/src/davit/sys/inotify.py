"""Being woken when a file grows or is opened (inotify(7)): a quiet file costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

_IN_MODIFY = 0x2
_IN_ATTRIB = 0x4
_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name
_BUFFER = 65536

_libc = ctypes.CDLL(None, use_errno=True)


class Watches:
    """All watches of the process share one inotify instance: the kernel grants few to a user."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._listeners: dict[int, list[Callable[[str], None]]] = {}

    @contextlib.contextmanager
    def changed(self, path: Path) -> Iterator[asyncio.Event]:
        """Set the event whenever the file is written to or loses a name; the listener clears it."""
        event = asyncio.Event()
        with self._watch(path, _IN_MODIFY | _IN_ATTRIB, lambda _: event.set()):
            yield event

    @contextlib.contextmanager
    def opened(self, directory: Path, name: str, listener: Callable[[], None]) -> Iterator[None]:
        """Call the listener whenever somebody opens, or makes, the file of this name."""

        def tell(opened: str) -> None:
            if opened == name:
                listener()

        with self._watch(directory, _IN_OPEN, tell):
            yield

    @contextlib.contextmanager
    def _watch(self, path: Path, mask: int, listener: Callable[[str], None]) -> Iterator[None]:
        if self._descriptor < 0:
            self._descriptor = _check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            asyncio.get_running_loop().add_reader(self._descriptor, self._dispatch)
        try:
            # The same file gives the same watch.
            watch = _check(_libc.inotify_add_watch(self._descriptor, os.fsencode(path), mask))
        except OSError:
            self._close_unused()
            raise
        listeners = self._listeners.setdefault(watch, [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners and self._listeners.pop(watch, None) is not None:
                _libc.inotify_rm_watch(self._descriptor, watch)
            self._close_unused()

    def _dispatch(self) -> None:
        received = os.read(self._descriptor, _BUFFER)
        offset = 0
        while offset < len(received):
            watch, _, _, length = _EVENT.unpack_from(received, offset)
            offset += _EVENT.size
            name = received[offset : offset + length].rstrip(b"\0")
            offset += length
            for listener in list(self._listeners.get(watch, ())):
                listener(os.fsdecode(name))

    def _close_unused(self) -> None:
        if not self._listeners:
            self._close()

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        # In a thread: the kernel takes some milliseconds until nobody looks at its marks any more.
        loop.run_in_executor(None, os.close, self._descriptor)
        self._descriptor = -1


async def first_of(*events: asyncio.Event, timeout: float | None = None) -> None:
    """Return when one of the events is set, or after so many seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _check(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {os.strerror(number)}")
    return result
