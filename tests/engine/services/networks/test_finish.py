import asyncio

import pytest

from davit.services.networks.finish import finish, finish_all


async def test_a_step_ends_before_the_cancelled_caller_goes_on() -> None:
    ended = False

    async def step() -> None:
        nonlocal ended
        await asyncio.sleep(0.02)
        ended = True

    task = asyncio.create_task(finish(step()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


async def test_all_steps_end_before_a_failure_is_raised() -> None:
    ended = []

    async def step(name: str, *, fails: bool) -> None:
        await asyncio.sleep(0)
        ended.append(name)
        if fails:
            raise ValueError(name)

    with pytest.raises(ValueError, match="first"):
        await finish_all(step("first", fails=True), step("second", fails=False))
    assert ended == ["first", "second"]
