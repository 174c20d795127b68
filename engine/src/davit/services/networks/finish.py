"""Steps that must not be left half-way when a client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def finish(step: Awaitable[T]) -> T:
    """Await ``step`` to its end even when the caller is cancelled, and then be cancelled.

    A thread cannot be called back; what it makes must be there before it can be undone.
    """
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def finish_all(*steps: Awaitable[object]) -> None:
    """Await all of several concurrent steps, whatever becomes of them; raise the first failure."""
    results = await finish(asyncio.gather(*steps, return_exceptions=True))
    for result in results:
        if isinstance(result, BaseException):
            raise result
