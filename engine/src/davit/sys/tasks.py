"""Work that must not be cut in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uncut(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work`` to its end even when the caller is cancelled, who learns of it afterwards."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await ended(running)
        raise


async def ended(running: asyncio.Future[Any]) -> None:
    """Wait for its end, however often the caller is cancelled, who learns of it afterwards."""
    # A request is cancelled again while it cleans up: a write has failed, the connection is lost.
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Call ``work`` in a thread. When the caller is cancelled it has ended before this does.

    So nothing that it uses is closed under it, and what it opens on an exit stack is closed.
    """
    return await uncut(asyncio.to_thread(work, *args))
