"""Byte streams for threads: fed from the event loop, hashed, looked into."""

from __future__ import annotations

import asyncio
import hashlib
import queue
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from davit.model.stream import PIECE
from davit.sys.tasks import ended, in_thread

CHUNK = PIECE
"""Bytes asked for at a time."""
_AHEAD = 2 << 20
"""Bytes that are taken from a sender before they are read."""

T = TypeVar("T")


class Source(Protocol):
    """Something to read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes (may be fewer), empty at the end."""
        ...


class LoopSource:
    """A blocking reader, for a thread, of chunks that arrive in the event loop.

    A few chunks are held, so memory is constant and the sender is slowed to our pace.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # What arrived; last the end (empty), or what failed.
        self._queue: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._rest = memoryview(b"")
        self._end: bytes | BaseException | None = None
        self._cancelled = False
        # Counted by one side each: no lock is needed to compare them.
        self._put = self._got = 0
        self._full = False
        self._room = asyncio.Event()

    def read(self, size: int) -> bytes:
        if self._cancelled:
            raise asyncio.CancelledError
        if not self._rest:
            data = self._next()
            if len(data) <= size:
                return data
            self._rest = memoryview(data)
        piece = self._rest[:size]
        self._rest = self._rest[size:]
        return bytes(piece)

    async def pump(self, chunks: AsyncIterator[bytes]) -> None:
        """Take the chunks to their end. What fails there, fails the reader when it comes to it."""
        try:
            async for chunk in chunks:
                if chunk:
                    self._put += len(chunk)
                    self._queue.put(chunk)
                await self._wait()
        except BaseException as error:
            self._queue.put(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._queue.put(b"")

    def cancel(self) -> None:
        """Make the running and any later ``read`` raise; to be called in the event loop."""
        self._cancelled = True
        self._queue.put(asyncio.CancelledError())

    async def _wait(self) -> None:
        if self._put - self._got >= _AHEAD:
            self._room.clear()
            self._full = True
            if self._put - self._got > _AHEAD // 2:
                await self._room.wait()

    def _next(self) -> bytes:
        found = self._queue.get() if self._end is None else self._end
        if isinstance(found, BaseException) or not found:
            self._end = found
        if isinstance(found, BaseException):
            raise found
        self._got += len(found)
        # Not with each chunk: to wake the loop costs more than to take one.
        if self._full and self._put - self._got <= _AHEAD // 2:
            self._full = False
            self._loop.call_soon_threadsafe(self._room.set)
        return found


async def feed(
    chunks: AsyncIterator[bytes], work: Callable[[Source], T], executor: Executor | None = None
) -> T:
    """Run ``work`` in a thread with a blocking reader of ``chunks``; return what it returns.

    executor: where that thread comes from, the loop's own when none is given.

    When the caller is cancelled the reader raises, and ``work`` has ended when this returns.
    """
    loop = asyncio.get_running_loop()
    source = LoopSource(loop)
    pumping = asyncio.ensure_future(source.pump(chunks))
    running = loop.run_in_executor(executor, work, source)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        source.cancel()
        # Nobody hears any more of what it failed with.
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        await ended(running)
        raise
    finally:
        # Nobody may be inside the chunks when the caller closes them.
        pumping.cancel()
        await ended(pumping)


async def drawn(pieces: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    """Yield what a blocking generator yields, each piece made in a thread; at the end close it.

    When the caller is cancelled the thread has ended before anything that it uses is closed.
    """
    try:
        while (piece := await in_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        await in_thread(pieces.close)


class Pieces:
    """A generator of pieces, read like a file."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


class Hashed:
    """Hashes what is read through it, and shows each piece to ``tee``."""

    def __init__(self, source: Source, tee: Callable[[bytes], None] | None = None) -> None:
        self._source = source
        self._tee = tee
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        self.size += len(data)
        if self._tee is not None and data:
            self._tee(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class Limited:
    """Lets so many bytes through. More raise what ``refusal`` returns."""

    def __init__(self, source: Source, limit: int, refusal: Callable[[], Exception]) -> None:
        self._source = source
        self._left = limit
        self._refusal = refusal

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise self._refusal()
        return data


class Peeked:
    """A source whose first bytes have been looked at already."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        head = bytearray()
        while len(head) < size and (data := source.read(size - len(head))):
            head += data
        self.head = bytes(head)
        self._rest = self.head

    def read(self, size: int) -> bytes:
        if not self._rest:
            return self._source.read(size)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def pieces(source: Source) -> Generator[bytes, None, None]:
    """Read to the end, piece by piece."""
    while data := source.read(CHUNK):
        yield data


def skip(source: Source, size: int) -> None:
    """Read so many bytes, or to the end."""
    while size and (data := source.read(min(CHUNK, size))):
        size -= len(data)


def drain(source: Source) -> None:
    """Read to the end."""
    while source.read(CHUNK):
        pass
