"""Blocking work in threads that nobody leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def finish(work: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Run blocking work in a thread, as :func:`asyncio.to_thread`, but never return before it ends.

    A thread cannot be stopped: whoever is cancelled meanwhile must not close a descriptor under it,
    for the next to be opened gets its number. undo: what to do then with a result nobody takes.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if undo is not None and not running.cancelled() and running.exception() is None:
            undo(running.result())
        raise
