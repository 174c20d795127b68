"""What the kernel kills for want of memory."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from davit.model.container import Status
from tests.engine.services.containers.world import World

# A child doubles a text until the kernel ends it.
GREEDY = "( x=0123456789; while :; do x=$x$x; done )"
LIMIT: dict[str, Any] = {"HostConfig": {"Memory": 16 << 20, "MemorySwap": 16 << 20}}


def until_exists(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


async def test_a_kill_is_told_when_it_happens(world: World) -> None:
    told = asyncio.Event()
    world.listener = lambda action: told.set() if action == "oom" else None
    script = f"{GREEDY}; read -t 600 line; exit 3"
    container = await world.run("box", "sh", "-c", script, OpenStdin=True, **LIMIT)
    await asyncio.wait_for(told.wait(), 20)
    state = world.store.get("box").state
    assert (state.status, state.oom_killed) == (Status.RUNNING, True)
    await world.containers.kill("box")
    state = world.store.get("box").state
    assert (state.exit_code, state.oom_killed) == (137, True)
    assert world.actions(container) == ["create", "start", "oom", "kill", "die"]


async def test_a_container_that_is_killed_itself(world: World) -> None:
    container = await world.create("box", "sh", "-c", GREEDY[2:-2], **LIMIT)
    waiting = asyncio.ensure_future(world.containers.wait("box", "next-exit"))
    await world.containers.start("box")
    ended = await asyncio.wait_for(waiting, 20)
    state = world.store.get("box").state
    assert (ended.exit_code, state.exit_code, state.oom_killed) == (137, 137, True)
    assert world.actions(container) == ["create", "start", "oom", "die"]
    # A new run begins with a clean slate, and the old one's file is not read again.
    await world.settle()
    quiet = await world.run("quiet", "true", **LIMIT)
    await world.ended(quiet)
    assert not world.store.get("quiet").state.oom_killed


@pytest.mark.parametrize("before", [True, False])
async def test_a_kill_while_davitd_is_away_is_told_at_the_end(world: World, before: bool) -> None:
    """before: the monitor saw it, davitd ended before it could tell; or the other way round."""
    script = "read -t 600 go </tmp/go; " + GREEDY + "; read -t 600 go </tmp/go"
    container = await world.run("box", "sh", "-c", f"mkfifo /tmp/go; echo ready; {script}", **LIMIT)
    await world.ready(container)
    fifo = world.paths.rootfs(container.id) / "tmp/go"
    mark = world.paths.bundle(container.id) / "oom"
    if before:
        await world.crash()
    told = asyncio.Event()
    world.listener = lambda action: told.set() if action == "oom" else None
    await asyncio.to_thread(fifo.write_text, "go\n")
    if before:
        await asyncio.wait_for(asyncio.to_thread(until_exists, mark), 20)
    else:
        await asyncio.wait_for(told.wait(), 20)
        await world.store.change(container.id, lambda row: row)  # What was told is written, too.
        await world.crash()
    await world.open()
    await world.containers.kill("box")
    assert world.store.get("box").state.oom_killed
    assert world.actions(container).count("oom") == 1
