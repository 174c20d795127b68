"""Whose cgroups a container sees when nobody says it: Docker's choice, and the setting's."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from tests.engine.services.containers.world import World


@pytest.mark.parametrize(
    ("version", "setting", "asked", "privileged", "mode"),
    [
        (1, "", "", False, "host"),
        (2, "", "", False, "private"),
        (2, "", "", True, "private"),
        (1, "private", "", False, "private"),
        (1, "private", "", True, "host"),
        (2, "host", "", False, "host"),
        (1, "", "private", True, "private"),
        (2, "", "host", False, "host"),
    ],
)
async def test_the_default(
    world: World, version: int, setting: str, asked: str, privileged: bool, mode: str
) -> None:
    context = world.context
    context.host = msgspec.structs.replace(context.host, cgroup_version=version)
    context.settings = dataclasses.replace(context.settings, default_cgroupns_mode=setting)
    container = await world.create(
        "box", "true", HostConfig={"CgroupnsMode": asked, "Privileged": privileged}
    )
    assert container.host_config.cgroupns_mode == mode


@pytest.mark.parametrize("mode", ["host", "private"])
async def test_what_a_container_sees(world: World, mode: str) -> None:
    container = await world.run(
        "box", "cat", "/proc/self/cgroup", HostConfig={"CgroupnsMode": mode}
    )
    await world.ended(container)
    assert (container.id in world.log(container)) == (mode == "host")
