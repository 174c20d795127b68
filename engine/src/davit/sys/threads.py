"""Blocking work in threads that nobody leaves behind."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_BATCHES = 4


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
    are busy. Close it, from whichever thread puts the pieces; what was not waited for may be lost.
    """

    def __init__(self, act: Callable[[bytes], object], together: int = 1) -> None:
        """together: pieces that are passed on at once; to wake a thread takes longer than that."""
        self._act = act
        self._together = together
        self._queue: queue.SimpleQueue[list[bytes] | None] = queue.SimpleQueue()
        self._batch: list[bytes] = []
        self._room = threading.Semaphore(_BATCHES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def put(self, piece: bytes) -> None:
        """Raises what an earlier piece has failed with; then no later one is done."""
        if self._error is not None:
            raise self._error
        self._batch.append(piece)
        if len(self._batch) >= self._together:
            self._pass_on()

    def wait(self) -> None:
        """Return when all is done. Raises what has failed."""
        self._pass_on()
        for _ in range(_BATCHES):
            self._room.acquire()
        self._room.release(_BATCHES)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Return when the thread has ended. Idempotent."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _pass_on(self) -> None:
        self._room.acquire()
        self._queue.put(self._batch)
        self._batch = []

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            try:
                if self._error is None:
                    for piece in batch:
                        self._act(piece)
            except BaseException as error:
                self._error = error
            finally:
                self._room.release()
