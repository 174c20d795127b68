"""Blocking work in threads that nobody leaves behind."""

from __future__ import annotations

import asyncio
import queue
import threading
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


class Follower:
    """Does the same to one piece of bytes after the other, in a thread of its own.

    It is worth it for what lets go of the interpreter's lock (hashes, writing): then two processors
    are busy. Close it, from whichever thread puts the pieces.
    """

    def __init__(self, act: Callable[[bytes], object], behind: int = 16) -> None:
        """behind: pieces that may wait; then ``put`` does."""
        self._act = act
        self._pieces: queue.Queue[bytes | None] = queue.Queue(behind)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def put(self, piece: bytes) -> None:
        """Raises what an earlier piece has failed with; then no later one is done."""
        if self._error is not None:
            raise self._error
        self._pieces.put(piece)

    def wait(self) -> None:
        """Return when all is done. Raises what has failed."""
        self._pieces.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Return when the thread has ended. Idempotent."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            try:
                if self._error is None:
                    self._act(piece)
            except BaseException as error:
                self._error = error
            finally:
                self._pieces.task_done()
