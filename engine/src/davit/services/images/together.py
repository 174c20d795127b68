"""Several things at once, of which all are to succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Do all at once; when one fails, or the caller is cancelled, end the others."""
    tasks = [asyncio.create_task(item) for item in work]
    if not tasks:
        return
    try:
        # Not gather(): cancelled twice, a task could not finish what it does at its end.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    failed = [task.exception() for task in tasks if not task.cancelled()]
    for error in filter(None, failed):
        raise error
