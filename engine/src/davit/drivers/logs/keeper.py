"""Rotation: begin a new file when the log is full, and delete what is too much.

A quiet log costs nothing: it is watched. One that grows is looked at again when, at its rate, it
could be full; so a container that prints a million lines does not wake davitd a million times.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from davit.drivers.logs import segments
from davit.errors import DavitError
from davit.model.logs import LogLimits
from davit.sys.inotify import Watches, first_of

logger = logging.getLogger(__name__)

_SHORTEST, _LONGEST = 0.005, 1.0
_PATIENCE = 5.0

Reopen = Callable[[], Awaitable[None]]


class LogKeeper:
    """Keeps the logs of running containers within their limits. One for the process."""

    def __init__(self) -> None:
        self._watches = Watches()

    async def prepare(self, log: Path, limits: LogLimits) -> None:
        """Make a log ready for a container that is about to start."""
        if limits.max_size:
            await asyncio.to_thread(segments.prepare, log, limits, stopped=True)

    async def keep(
        self, log: Path, limits: LogLimits, reopen: Reopen, ended: asyncio.Event
    ) -> None:
        """Rotate until the container has ended. reopen: ask conmon to go on to its next file."""
        if not limits.rotates:
            return
        tidying = asyncio.create_task(_tidy(log, limits))
        try:
            while not ended.is_set():
                try:
                    await asyncio.to_thread(segments.prepare, log, limits)
                    await self._until_full(log, limits, ended)
                    if ended.is_set():
                        break
                    await _rotate(log, reopen, limits)
                    await asyncio.to_thread(segments.prepare, log, limits)
                except (OSError, DavitError) as error:
                    # The disk is full, or the container has just ended.
                    if not ended.is_set():
                        logger.debug("%s is not rotated: %s", log, error)
                    await first_of(ended, timeout=_LONGEST)
                if tidying.done():
                    tidying = asyncio.create_task(_tidy(log, limits))
        finally:
            await tidying
        await _tidy(log, limits)

    async def _until_full(self, log: Path, limits: LogLimits, ended: asyncio.Event) -> None:
        """Return when the file has reached its size, or conmon has begun another by itself."""
        clock = asyncio.get_running_loop().time
        inode, size, seen = await asyncio.to_thread(_look, log) + (clock(),)
        while not ended.is_set() and size < limits.max_size:
            with self._watches.changed(log) as changed:
                if await asyncio.to_thread(_look, log) == (inode, size):
                    await first_of(changed, ended)
            grows = True
            while grows and not ended.is_set():
                now_inode, now_size = await asyncio.to_thread(_look, log)
                now = clock()
                if now_inode != inode or now_size >= limits.max_size:
                    return
                grows = now_size > size
                rate = (now_size - size) / max(now - seen, _SHORTEST)
                size, seen = now_size, now
                if grows:
                    pause = (limits.max_size - size) / rate / 2
                    await first_of(ended, timeout=min(max(pause, _SHORTEST), _LONGEST))


async def _rotate(log: Path, reopen: Reopen, limits: LogLimits) -> None:
    inode, size = await asyncio.to_thread(_look, log)
    if size < limits.max_size:
        return  # conmon was faster
    await reopen()
    end = asyncio.get_running_loop().time() + _PATIENCE
    while (await asyncio.to_thread(_look, log))[0] == inode:
        if asyncio.get_running_loop().time() > end:
            raise OSError(f"conmon has not opened another file for {log}")
        await asyncio.sleep(_SHORTEST)


async def _tidy(log: Path, limits: LogLimits) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(segments.tidy, log, limits)
    except OSError as error:
        logger.warning("%s: earlier files are left as they are: %s", log, error)


def _look(log: Path) -> tuple[int, int]:
    status = log.stat()
    return status.st_ino, status.st_size
