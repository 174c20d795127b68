"""Health checks: the state machine, and probes in a real container."""

from __future__ import annotations

import asyncio

import pytest

from davit.model.config import ContainerConfig, HealthConfig
from davit.model.container import Health, Probe
from davit.services.containers import health
from davit.services.containers.health import Check
from tests.engine.services.containers.world import World

SECOND = 10**9
CHECK = Check(
    command=("check",),
    interval=30 * SECOND,
    timeout=SECOND,
    start_period=10 * SECOND,
    start_interval=2 * SECOND,
    retries=2,
)


def probe(code: int, at: int) -> Probe:
    return Probe(start=at * SECOND, end=at * SECOND, exit_code=code)


def run(*probes: Probe) -> list[tuple[str, int]]:
    state = Health(status=health.STARTING)
    seen = []
    for each in probes:
        state = health.after(state, each, CHECK, started_at=0)
        seen.append((state.status, state.failing_streak))
    return seen


def test_failures_in_the_start_period_do_not_count() -> None:
    assert run(probe(1, 2), probe(1, 9), probe(1, 10), probe(1, 11)) == [
        ("starting", 0),
        ("starting", 0),
        ("starting", 1),
        ("unhealthy", 2),
    ]


def test_a_success_ends_the_start_period() -> None:
    assert run(probe(0, 2), probe(1, 4), probe(1, 6), probe(0, 8)) == [
        ("healthy", 0),
        ("healthy", 1),
        ("unhealthy", 2),
        ("healthy", 0),
    ]


def test_five_probes_are_kept() -> None:
    state = Health(status=health.STARTING)
    for at in range(8):
        state = health.after(state, probe(0, at), CHECK, started_at=0)
    assert [kept.start // SECOND for kept in state.log] == [3, 4, 5, 6, 7]


def test_probes_are_denser_in_the_start_period() -> None:
    starting = Health(status=health.STARTING)
    assert health.delay(starting, CHECK, uptime=SECOND) == 2 * SECOND
    assert health.delay(starting, CHECK, uptime=10 * SECOND) == 30 * SECOND
    assert health.delay(Health(status=health.HEALTHY), CHECK, uptime=SECOND) == 30 * SECOND


@pytest.mark.parametrize("test", [[], ["NONE"], ["CMD"]])
def test_no_check(test: list[str]) -> None:
    assert health.check_of(ContainerConfig(healthcheck=HealthConfig(test=test))) is None


def test_a_shell_check_runs_in_the_images_shell() -> None:
    config = ContainerConfig(
        healthcheck=HealthConfig(test=["CMD-SHELL", "a || b"]), shell=["/bin/ash", "-ec"]
    )
    check = health.check_of(config)
    assert check is not None
    assert check.command == ("/bin/ash", "-ec", "a || b")


async def test_a_container_becomes_healthy_and_sick(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: told.put_nowait(action) if "health" in action else None
    container = await world.run(
        "box",
        *("sleep", "1000"),
        Healthcheck={
            "Test": ["CMD-SHELL", "echo looked; test ! -e /sick"],
            "Interval": 50 * 10**6,
            "Retries": 2,
        },
    )
    assert await asyncio.wait_for(told.get(), 10) == "health_status: healthy"
    details = await world.containers.inspect("box")
    assert details.health is not None
    assert details.health.log[-1].output == "looked\n"
    (world.paths.rootfs(container.id) / "sick").touch()
    assert await asyncio.wait_for(told.get(), 10) == "health_status: unhealthy"
    assert world.context.health[container.id].failing_streak == 2


async def test_a_check_that_takes_too_long_fails(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: told.put_nowait(action) if "health" in action else None
    container = await world.run(
        "box",
        *("sleep", "1000"),
        Healthcheck={
            "Test": ["CMD", "sleep", "1000"],
            "Interval": 10**6,
            "Timeout": 10**6,
            "Retries": 1,
        },
    )
    assert await asyncio.wait_for(told.get(), 10) == "health_status: unhealthy"
    assert "exceeded timeout (0.001s)" in world.context.health[container.id].log[-1].output


async def test_a_check_is_not_held_up_by_what_it_has_started(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: told.put_nowait(action) if "health" in action else None
    container = await world.run(
        "box",
        *("sleep", "1000"),
        Healthcheck={
            # The shell is killed; its child keeps the shell's output open.
            "Test": ["CMD-SHELL", "sleep 1000; true"],
            "Interval": 10**6,
            "Timeout": 200 * 10**6,
            "Retries": 1,
        },
    )
    assert await asyncio.wait_for(told.get(), 10) == "health_status: unhealthy"
    assert "exceeded timeout (0.2s)" in world.context.health[container.id].log[-1].output


async def test_long_output_is_cut_and_checks_go_on_after_a_crash(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: told.put_nowait(action) if "health" in action else None
    container = await world.run(
        "box",
        *("sleep", "1000"),
        Healthcheck={"Test": ["CMD-SHELL", "yes | head -c 5000"], "Interval": 50 * 10**6},
    )
    assert await asyncio.wait_for(told.get(), 10) == "health_status: healthy"
    assert len(world.context.health[container.id].log[-1].output) == 4096
    await world.crash()
    await world.open()
    assert await asyncio.wait_for(told.get(), 10) == "health_status: healthy"


async def test_a_container_takes_its_time_to_start(world: World) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    world.listener = lambda action: told.put_nowait(action) if "health" in action else None
    container = await world.run(
        "box",
        *("sleep", "1000"),
        Healthcheck={
            "Test": ["CMD-SHELL", "test -e /up"],
            "Interval": 3600 * 10**9,
            "StartPeriod": 3600 * 10**9,
            "StartInterval": 20 * 10**6,
            "Retries": 1,
        },
    )
    for _ in range(1000):
        found = world.context.health.get(container.id)
        if found is not None and len(found.log) == 3:
            break
        await asyncio.sleep(0.01)
    assert found is not None
    assert (found.status, len(found.log)) == ("starting", 3)
    (world.paths.rootfs(container.id) / "up").touch()
    assert await asyncio.wait_for(told.get(), 10) == "health_status: healthy"
