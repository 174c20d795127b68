from __future__ import annotations

import asyncio
import threading

import pytest

from davit.sys.threads import finish


async def test_the_result() -> None:
    assert await finish(lambda: 5) == 5
    with pytest.raises(OSError, match="no"):
        await finish(lambda: fail("no"))


async def test_who_is_cancelled_waits_for_the_thread_and_undoes() -> None:
    began, go_on = threading.Event(), threading.Event()
    undone: list[int] = []

    def work() -> int:
        began.set()
        go_on.wait(10)
        return 7

    task = asyncio.create_task(finish(work, undone.append))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == [7]


async def test_nothing_is_undone_of_what_failed() -> None:
    began, go_on = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        go_on.wait(10)
        fail("no")

    task = asyncio.create_task(finish(work, fail_if_called))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def fail(words: str) -> None:
    raise OSError(words)


def fail_if_called(result: object) -> None:
    raise AssertionError(result)
