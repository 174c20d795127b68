"""``kill -9`` of davitd at the worst moments."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest

from davit.model.container import Container, Status
from davit.services.containers import policy, start
from tests.engine.services.containers.world import World

SLEEP = ("sleep", "1000")


async def test_running_containers_are_adopted(world: World) -> None:
    before = await world.run("box", *SLEEP, HostConfig={"Binds": ["data:/data"]})
    await world.crash()
    await world.open()
    assert world.store.get("box").state == before.state
    waiting = world.containers.wait("box")
    os.kill(before.state.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(waiting, 10)).exit_code == 137
    await world.containers.start("box")
    await world.containers.stop("box", timeout=0)


async def test_an_end_during_the_absence_is_noticed_with_its_code(world: World) -> None:
    container = await world.run("box", "sh", "-c", "until [ -e /go ]; do sleep 0.02; done; exit 6")
    monitor_pid = container.state.conmon_pid
    await world.crash()
    (world.paths.rootfs(container.id) / "go").touch()
    while Path(f"/proc/{monitor_pid}/cmdline").exists():
        if Path(f"/proc/{monitor_pid}/cmdline").read_bytes() == b"":  # a zombie of this process
            break
        await asyncio.sleep(0.01)
    await world.open()
    state = world.store.get("box").state
    assert (state.status, state.exit_code) == (Status.EXITED, 6)
    await world.settle()
    assert world.traces() == []


@pytest.mark.parametrize("step", ["launched", "started"])
async def test_an_interrupted_start_is_rolled_back(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process exists, and davitd dies before that is written down."""
    container = await world.create("box", *SLEEP)

    async def die(reference: str) -> None:
        if step == "started":
            await monitors.start(reference)
        raise _Killed

    monitors = world.context.monitors
    undone: list[str] = []

    async def no_undo(*_: object) -> None:
        undone.append("skipped")

    with monkeypatch.context() as patch:
        patch.setattr(world.context, "before_start", [die])
        patch.setattr(start.AsyncExitStack, "__aexit__", no_undo)
        with pytest.raises(_Killed):
            await world.containers.start("box")
    assert undone
    assert world.traces() != []
    await world.crash()
    await world.open()
    assert world.store.get("box").state.status is Status.CREATED
    assert world.traces() == []
    await world.containers.start(container.id)


class _Killed(BaseException):
    pass


async def test_policies_resume(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "FIRST_DELAY", 10**6)
    for name in ("always", "unless-stopped", "no"):
        for verb in ("stopped", "killed"):
            host = {"RestartPolicy": {"Name": name}}
            container = await world.run(f"{name}-{verb}", *SLEEP, HostConfig=host)
            if verb == "stopped":
                await world.containers.stop(container.name, timeout=0)
    await world.crash()
    for container in world.store.all():
        if container.state.pid:
            os.kill(container.state.conmon_pid, signal.SIGKILL)
            os.kill(container.state.pid, signal.SIGKILL)
    starts: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: starts.put_nowait(action) if action == "start" else None
    world.events.clear()
    await world.open()
    for _ in range(3):
        await asyncio.wait_for(starts.get(), 20)
    started = [about["name"] for _, action, _, about in world.events if action == "start"]
    assert sorted(started) == ["always-killed", "always-stopped", "unless-stopped-killed"]
    lost = world.store.get("no-killed").state
    assert (lost.status, lost.exit_code) == (Status.EXITED, 255)
    assert world.store.get("unless-stopped-stopped").state.status is Status.EXITED


async def test_an_interrupted_removal_is_finished(world: World) -> None:
    container = await world.create("box", HostConfig={"AutoRemove": True})
    files = world.paths.upper(container.id)
    files.mkdir(parents=True)
    await world.store.remove(container.id)
    gone = await world.create("gone", HostConfig={"AutoRemove": True})

    def end(before: Container) -> Container:
        state = msgspec.structs.replace(before.state, status=Status.EXITED)
        return msgspec.structs.replace(before, state=state)

    await world.store.change(gone.id, end)
    await world.crash()
    await world.open()
    await world.settle()
    assert world.store.all() == []
    assert not files.exists()
