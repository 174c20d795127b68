"""What ``spec.build`` writes, seen from inside a container that the runtime made of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from davit.model.config import ContainerConfig, HostConfig
from davit.model.container import Container
from davit.model.runtime import STDOUT, Launch
from davit.spec import build, capabilities
from davit.spec.facts import SpecFacts
from davit.sys import devices
from davit.sys import host as host_facts
from tests.engine.drivers.conmon.host import ID, Host, read_all

FACTS = host_facts.read(capabilities.ALL)
NO_MKDIR = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
)


async def inside(where: Host, script: str, **asked: Any) -> str:
    """Run a shell script in a container with these options; return its standard output."""
    container = Container(
        id=ID,
        name="name",
        created=1,
        image_id="sha256:0",
        path="/bin/sh",
        args=["-c", script],
        config=msgspec.convert({"Hostname": "box"}, ContainerConfig),
        host_config=msgspec.convert(asked, HostConfig),
    )

    def write() -> None:
        busybox = where.bundle / "rootfs/bin"
        for applet in ("grep", "mount", "hostname", "mkdir", "ls", "touch", "ping", "mknod", "dd"):
            if not (busybox / applet).is_symlink():
                (busybox / applet).symlink_to("busybox")
        facts = SpecFacts(
            host=FACTS,
            rootfs=str(where.bundle / "rootfs"),
            cgroups_path=f"/{where.cgroup}/{ID}",
            host_devices=devices.all_nodes(),
            devices={"/dev/kmsg": devices.nodes("/dev/kmsg")},
        )
        spec = build.build(container, facts)
        (where.bundle / "config.json").write_text(json.dumps(spec))

    await asyncio.to_thread(write)
    launched = await where.monitors.launch(
        Launch(container_id=ID, bundle=str(where.bundle), log=str(where.log))
    )
    console = await where.monitors.attach(ID)
    await where.monitors.start(ID)
    output = await read_all(console)
    await where.monitors.wait(ID, launched)
    await where.monitors.forget(ID)
    return output[STDOUT].decode()


def bits(names: tuple[str, ...]) -> str:
    own = FACTS.capabilities
    mask = sum(1 << bit for bit, name in enumerate(capabilities.ALL) if name in {*names} & own)
    return f"{mask:016x}"


async def test_the_defaults_confine(host: Host) -> None:
    shown = await inside(
        host,
        "grep -E '^(CapBnd|CapInh|Seccomp|NoNewPrivs):' /proc/self/status; hostname;"
        "mount -t tmpfs none /tmp 2>/dev/null || echo no mount;"
        "cat /proc/sys/kernel/shmmax >/dev/null && ! echo 1 2>/dev/null >/proc/sys/kernel/shmmax"
        " && echo no sysctl; touch /sys/x 2>/dev/null || echo no sysfs;"
        "mknod /tmp/kmsg c 1 11 && ! dd if=/tmp/kmsg count=1 2>/dev/null && echo no device",
    )
    expected = {"CapBnd": bits(capabilities.DEFAULT), "CapInh": "0" * 16}
    lines = shown.splitlines()
    for name, value in {**expected, "Seccomp": "2", "NoNewPrivs": "0"}.items():
        assert f"{name}:\t{value}" in lines
    assert lines[4:] == ["box", "no mount", "no sysctl", "no sysfs", "no device"]


async def test_privileged_has_all_that_we_have(host: Host) -> None:
    shown = await inside(
        host,
        "grep -E '^(CapEff|Seccomp):' /proc/self/status; mount -t tmpfs none /tmp && echo mount;"
        "test -c /dev/kmsg && echo device; cd /sys/fs/cgroup; mkdir pids/x x 2>/dev/null;"
        "ls -d pids/x x 2>/dev/null | grep -q x && echo cgroup",
        Privileged=True,
        CgroupnsMode="private",
    )
    assert shown.splitlines() == [
        f"CapEff:\t{bits(capabilities.ALL)}",
        "Seccomp:\t0",
        "mount",
        "device",
        "cgroup",
    ]


@pytest.mark.parametrize(
    ("script", "asked", "expected"),
    [
        (
            "ulimit -n; ulimit -Hn",
            {"Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}]},
            "64\n128\n",
        ),
        (
            "touch /x 2>/dev/null || touch /t/x && echo t",
            {"ReadonlyRootfs": True, "Tmpfs": {"/t": ""}},
            "t\n",
        ),
        (
            "cat /proc/sys/kernel/shmmax",
            {"Sysctls": {"kernel.shmmax": "12345"}},
            "12345\n",
        ),
        ("cat /proc/self/oom_score_adj", {"OomScoreAdj": 321}, "321\n"),
        (
            "test -c /dev/log2 && echo device",
            {"Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/log2"}]},
            "device\n",
        ),
        (
            "mkdir /m 2>/dev/null || echo no",
            {"SecurityOpt": [f"seccomp={NO_MKDIR}"]},
            "no\n",
        ),
        (
            "mount | grep -c '^proc on /proc/'",
            {"SecurityOpt": ["systempaths=unconfined"]},
            "0\n",
        ),
    ],
    ids=["ulimit", "read-only", "sysctl", "oom score", "device", "profile", "paths"],
)
async def test_an_option_has_its_effect(
    host: Host, script: str, asked: dict[str, Any], expected: str
) -> None:
    assert await inside(host, script, **asked) == expected


async def test_limits_reach_the_cgroup(host: Host) -> None:
    shown = await inside(
        host,
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
        " /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null",
        Memory=64 << 20,
        PidsLimit=33,
    )
    assert shown.split() == [str(64 << 20), "33"]
