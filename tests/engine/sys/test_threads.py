from __future__ import annotations

import asyncio
import threading

import pytest

from davit.sys.threads import Follower, finish


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


def test_a_follower_does_all_in_order() -> None:
    done: list[bytes] = []
    follower = Follower(done.append, together=3)
    pieces = [bytes([number]) for number in range(100)]
    for piece in pieces:
        follower.put(piece)
    follower.wait()
    assert done == pieces
    follower.close()
    follower.close()


def test_a_followers_failure_comes_out_and_ends_it() -> None:
    done: list[bytes] = []

    def act(piece: bytes) -> None:
        if piece == b"bad":
            raise OSError("full")
        done.append(piece)

    follower = Follower(act)
    follower.put(b"good")
    follower.put(b"bad")
    with pytest.raises(OSError, match="full"):
        follower.wait()
    with pytest.raises(OSError, match="full"):
        follower.put(b"late")
    follower.close()
    assert done == [b"good"]


def test_a_follower_holds_back_who_is_faster() -> None:
    go_on = threading.Event()
    follower = Follower(lambda _: go_on.wait(10))
    ahead = threading.Thread(target=lambda: put_ten(follower))
    ahead.start()
    ahead.join(0.2)
    assert ahead.is_alive()
    go_on.set()
    ahead.join(10)
    assert not ahead.is_alive()
    follower.close()


def put_ten(follower: Follower) -> None:
    for _ in range(10):
        follower.put(b"x")
