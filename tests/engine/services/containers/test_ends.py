"""How containers end: exit codes, signals, and what an end takes along."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from davit.errors import NotFound
from davit.model.config import RestartPolicy
from davit.model.container import Status, UpdateRequest
from davit.model.exec import ExecSpec
from davit.services.containers import policy
from davit.services.containers.exec import ExecService
from tests.engine.services.containers.world import World

SLEEP = ("sleep", "1000")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"], 139),
        (["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], 143),
        (["sh", "-c", "exit 255"], 255),
    ],
)
async def test_exit_codes(world: World, command: list[str], code: int) -> None:
    container = await world.run("box", *command)
    assert (await world.ended(container)).exit_code == code
    assert world.store.get("box").state.oom_killed is False


async def test_a_program_that_ends_by_the_stop_signal(world: World) -> None:
    """With an init, for the kernel keeps signals without a handler from a first process."""
    # An init that is stopped before its program runs ends in a way of its own.
    script = "echo ready; exec sleep 1000"
    container = await world.run("box", "sh", "-c", script, HostConfig={"Init": True})
    await world.ready(container)
    await world.containers.stop("box", timeout=10)
    assert (await world.ended(container)).exit_code == 143


async def test_a_killed_one(world: World) -> None:
    container = await world.run("box", *SLEEP)
    await world.containers.kill("box")
    assert (await world.ended(container)).exit_code == 137


async def test_a_real_time_stop_signal(world: World) -> None:
    script = "trap 'exit 9' 37; echo ready; while :; do sleep 0.02; done"
    container = await world.ready(await world.run("box", "sh", "-c", script, StopSignal="RTMIN+3"))
    await world.containers.stop("box", timeout=10)
    assert (await world.ended(container)).exit_code == 9


async def test_a_stop_that_waits_for_ever(world: World) -> None:
    script = "trap 'sleep 0.5; exit 8' TERM; echo ready; while :; do sleep 0.02; done"
    container = await world.ready(await world.run("box", "sh", "-c", script))
    await world.containers.stop("box", timeout=-1)
    assert (await world.ended(container)).exit_code == 8


async def test_an_exec_that_never_started_goes_with_the_run(world: World) -> None:
    execs = ExecService(world.context)
    await world.run("box", *SLEEP)
    entry = execs.create("box", ExecSpec(cmd=["true"]))
    assert execs.of_container(entry.container_id) == [entry.id]
    await world.containers.stop("box", timeout=0)
    await world.settle()
    assert execs.of_container(entry.container_id) == []
    with pytest.raises(NotFound, match="No such exec instance"):
        execs.get(entry.id)


async def test_a_start_by_hand_begins_to_count_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FIRST_DELAY", 10**6)
    limited = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    await world.run("box", "sh", "-c", "exit 5", HostConfig=limited)
    await world.settle()
    assert world.store.get("box").state.restart_count == 2
    await world.containers.update("box", UpdateRequest(restart_policy=RestartPolicy(name="no")))
    await world.containers.start("box")
    await world.settle()
    assert world.store.get("box").state.restart_count == 0


async def test_a_policy_taken_away_while_a_container_waits_for_its_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FIRST_DELAY", 5 * 10**8)
    always = {"RestartPolicy": {"Name": "always"}}
    container = await world.run("box", "true", HostConfig=always)
    await world.context.runs[container.id].cleaned.wait()
    assert world.store.get("box").state.status is Status.RESTARTING
    await world.containers.update("box", UpdateRequest(restart_policy=RestartPolicy(name="no")))
    await world.settle()
    assert world.store.get("box").state.status is Status.EXITED


async def test_auto_removal_of_what_ended_during_the_absence(world: World) -> None:
    container = await world.run(
        "box",
        *("sh", "-c", "until [ -e /go ]; do sleep 0.02; done"),
        HostConfig={"AutoRemove": True},
        Volumes={"/data": {}},
    )
    monitor = Path(f"/proc/{container.state.conmon_pid}/cmdline")
    await world.crash()
    (world.paths.rootfs(container.id) / "go").touch()
    while monitor.exists():
        if not monitor.read_bytes():  # a zombie of this process
            break
        await asyncio.sleep(0.01)
    await world.open()
    await world.settle()
    assert world.store.find(container.id) is None
    assert world.volumes.all() == []
    assert world.traces() == []
