"""Generators that block, drawn from the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import aclosing

import pytest

from davit.drivers.tar.stream import drawn


class Slow:
    """A generator that takes its time to close."""

    def __init__(self) -> None:
        self.closing, self.may_close, self.closed = (threading.Event() for _ in range(3))

    def pieces(self) -> Generator[bytes, None, None]:
        try:
            while True:
                yield b"piece"
        finally:
            self.closing.set()
            self.may_close.wait()
            self.closed.set()


async def test_all_pieces_come() -> None:
    assert [piece async for piece in drawn(piece for piece in (b"a", b"", b"b"))] == [
        b"a",
        b"",
        b"b",
    ]


async def test_it_is_closed_however_often_the_reader_is_cancelled() -> None:
    slow, began = Slow(), asyncio.Event()

    async def read() -> None:
        async with aclosing(drawn(slow.pieces())) as pieces:
            async for _ in pieces:
                began.set()
                await asyncio.sleep(3600)

    reading = asyncio.ensure_future(read())
    await began.wait()
    try:
        reading.cancel()
        await asyncio.to_thread(slow.closing.wait)
        for _ in range(10):
            reading.cancel()
            await asyncio.sleep(0)
        assert not reading.done()
    finally:
        slow.may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert slow.closed.is_set()
