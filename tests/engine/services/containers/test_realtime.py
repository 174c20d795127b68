"""Shares of the real-time scheduler: only cgroup v1 has them, and only some kernels."""

from __future__ import annotations

import pytest

from davit.errors import InvalidParameter
from davit.model.container import Status
from davit.services.containers.prepare import cgroups_path
from davit.sys.host import CGROUP_ROOT
from tests.engine.services.containers.world import World

CPU = CGROUP_ROOT / "cpu"
pytestmark = pytest.mark.skipif(
    not (CPU / "cpu.rt_runtime_us").exists(), reason="no CONFIG_RT_GROUP_SCHED, or cgroup v2"
)


async def test_containers_get_what_they_ask_for(world: World) -> None:
    for name, runtime in (("one", 10_000), ("two", 20_000)):
        container = await world.run(
            name, "sleep", "1000", HostConfig={"CpuRealtimeRuntime": runtime}
        )
        group = CPU / cgroups_path(world.settings, container).strip("/")
        assert int((group / "cpu.rt_runtime_us").read_text()) == runtime
        assert int((group.parent / "cpu.rt_runtime_us").read_text()) >= runtime


async def test_more_than_there_is(world: World) -> None:
    container = await world.create(
        "greedy", "sleep", "1000", HostConfig={"CpuRealtimeRuntime": 999_999}
    )
    with pytest.raises(InvalidParameter, match=r"CpuRealtimeRuntime.*999999 of 1000000"):
        await world.containers.start("greedy")
    assert world.store.get(container.id).state.status is Status.CREATED


@pytest.mark.parametrize("period", [-1, 1000])
async def test_a_runtime_beyond_its_period(world: World, period: int) -> None:
    with pytest.raises(InvalidParameter, match="real-time"):
        await world.create(
            "odd",
            *("sleep", "1000"),
            HostConfig={"CpuRealtimeRuntime": 2000, "CpuRealtimePeriod": period},
        )
