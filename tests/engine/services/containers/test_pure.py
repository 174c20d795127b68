"""The parts that only decide: merging, mounts, ports, signals, policy, reconcile's plan."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from davit.errors import InvalidParameter, NotFound, NotSupported
from davit.model import codec
from davit.model.config import ContainerConfig, HealthConfig, HostConfig, PortBinding, RestartPolicy
from davit.model.container import Container, State, Status, UpdateRequest
from davit.model.host import HostFacts
from davit.model.volume import MountPoint
from davit.services.containers import (
    merge,
    mounts,
    policy,
    ports,
    resources,
    signals,
    start,
    update,
    validate,
)
from davit.services.containers.policy import Decision
from davit.services.containers.reconcile import (
    DeleteFiles,
    Follow,
    Remove,
    RollBack,
    Start,
    plan,
)

SECOND = 10**9


def config(**fields: Any) -> ContainerConfig:
    return ContainerConfig(**fields)


@pytest.mark.parametrize(
    ("asked", "image", "argv"),
    [
        (config(), config(cmd=["a"]), ["a"]),
        (config(cmd=["b"]), config(cmd=["a"], entrypoint=["e"]), ["e", "b"]),
        (config(cmd="b c"), config(entrypoint="e"), ["e", "b c"]),
        (config(entrypoint=["x"]), config(cmd=["a"], entrypoint=["e"]), ["x"]),
        (config(entrypoint=[""], cmd=["b"]), config(cmd=["a"], entrypoint=["e"]), ["b"]),
        (config(entrypoint=[]), config(cmd=["a"], entrypoint=["e"]), ["a"]),
    ],
)
def test_command(asked: ContainerConfig, image: ContainerConfig, argv: list[str]) -> None:
    assert merge.command(merge.merge(asked, image)) == argv


def test_no_command() -> None:
    with pytest.raises(InvalidParameter, match="no command specified"):
        merge.merge(config(entrypoint=[""]), config(cmd=["a"], entrypoint=["e"]))


def test_the_request_wins_by_key() -> None:
    merged = merge.merge(
        config(
            cmd=["x"],
            env=["A=1", "GONE"],
            labels={"l": "asked"},
            healthcheck=HealthConfig(interval=5),
        ),
        config(
            env=["A=0", "B=2", "GONE=3"],
            labels={"l": "image", "m": "image"},
            exposed_ports={"80/tcp": {}},
            user="u",
            healthcheck=HealthConfig(test=["CMD", "t"], interval=9),
        ),
    )
    assert merged.env == ["A=1", "GONE", "B=2"], "a bare name is kept: it takes defaults away too"
    assert merged.labels == {"l": "asked", "m": "image"}
    assert merged.exposed_ports == {"80/tcp": {}}
    assert merged.user == "u"
    assert merged.healthcheck == HealthConfig(test=["CMD", "t"], interval=5)


def container(name: str, status: Status = Status.CREATED, **fields: Any) -> Container:
    state = State(status=status, stopped_by_user=fields.pop("stopped", False))
    return Container(
        id=name,
        name=name,
        created=1,
        image_id="sha256:1",
        config=ContainerConfig(),
        host_config=fields.pop("host", HostConfig()),
        path="x",
        args=[],
        state=state,
        **fields,
    )


def find_none(reference: str) -> Container:
    raise NotFound(f"No such container: {reference}")


def test_mounts_shadow_each_other() -> None:
    donor = container(
        "donor",
        mounts=[
            MountPoint(type="volume", name="v", source="/v", destination="/data"),
            MountPoint(type="bind", source="/srv", destination="/srv"),
        ],
    )
    wishes = mounts.plan(
        config(volumes={"/data": {}, "/own": {}, "/srv/": {}, "/t": {}}),
        HostConfig(binds=["named:/data:ro,nocopy"], volumes_from=["donor:ro"], tmpfs={"/t": ""}),
        lambda _: donor,
    )
    assert [(wish.point.type, wish.point.name, wish.destination) for wish in wishes] == [
        ("volume", "named", "/data"),
        ("volume", "", "/own"),
        ("bind", "", "/srv"),
    ]
    assert [wish.point.rw for wish in wishes] == [False, True, False]
    assert [wish.copy for wish in wishes] == [False, True, False]


def test_a_bind_makes_its_source_and_a_mount_does_not() -> None:
    host = codec.convert(
        {
            "Binds": ["/a/../b:/x:rslave"],
            "Mounts": [{"Type": "bind", "Source": "/c", "Target": "/y", "ReadOnly": True}],
        },
        HostConfig,
    )
    bind, mount = mounts.plan(config(), host, find_none)
    made = bind.point.bind_options.create_mountpoint
    assert (made, bind.point.source, bind.point.propagation) == (True, "/b", "rslave")
    assert (mount.point.bind_options.create_mountpoint, mount.point.rw) == (False, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", ["80/tcp"]),
        ("53/UDP", ["53/udp"]),
        ("8000-8002/tcp", ["8000/tcp", "8001/tcp", "8002/tcp"]),
    ],
)
def test_ports(text: str, expected: list[str]) -> None:
    assert ports.parse(text) == expected


@pytest.mark.parametrize("text", ["", "0", "70000", "2-1", "80/icmp", "http", "-80"])
def test_bad_ports(text: str) -> None:
    with pytest.raises(InvalidParameter):
        ports.parse(text)


def test_publish_all_gives_free_ports_to_what_has_none() -> None:
    found = ports.bindings({}, {"80": {}, "53/udp": {}}, publish_all=True)
    assert {port: [side.host_port for side in sides] for port, sides in found.items()} == {
        "80/tcp": [""],
        "53/udp": [""],
    }


def test_a_host_side_may_be_a_range_to_choose_from() -> None:
    asked = {"80/tcp": [PortBinding(host_port="8000-8010")]}
    assert ports.bindings(asked, [], publish_all=False) == asked


@pytest.mark.parametrize("side", ["8010-8000", "70000", "1-70000", "x", "80-"])
def test_bad_host_sides(side: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid hostPort"):
        ports.bindings({"80": [PortBinding(host_port=side)]}, [], publish_all=False)


@pytest.mark.parametrize(
    ("text", "number"),
    [("9", 9), ("TERM", 15), ("sigkill", 9), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("RTMIN", 34)],
)
def test_signals(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "ODD", "SIG_DFL", "RTMIN+99", "-9"])
def test_bad_signals(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid signal"):
        signals.parse(text)


def decide(name: str, limit: int = 0, **facts: Any) -> Decision:
    known: dict[str, Any] = {
        "exit_code": 1,
        "stopped_by_user": False,
        "uptime": 0,
        "restarts": 0,
        "last_delay": 0,
        **facts,
    }
    host = HostConfig(restart_policy=RestartPolicy(name=name, maximum_retry_count=limit))
    return policy.decide(host, **known)


def test_policies() -> None:
    assert decide("no") == decide("") == Decision()
    assert decide("always", exit_code=0).restart
    assert not decide("always", stopped_by_user=True).restart
    assert not decide("unless-stopped", stopped_by_user=True).restart
    assert not decide("on-failure", exit_code=0).restart
    assert decide("on-failure", 3, restarts=2).restart
    assert not decide("on-failure", 3, restarts=3).restart
    removed = policy.decide(
        HostConfig(auto_remove=True),
        exit_code=0,
        stopped_by_user=True,
        uptime=0,
        restarts=0,
        last_delay=0,
    )
    assert removed == Decision(remove=True)


def test_the_delay_doubles_up_to_a_minute_and_starts_over_after_a_long_run() -> None:
    delays = []
    last = 0
    for _ in range(12):
        last = decide("always", last_delay=last).delay
        delays.append(last // 10**6)
    assert delays[:4] == [100, 200, 400, 800]
    assert delays[-1] == 60_000
    assert decide("always", last_delay=60 * SECOND, uptime=10 * SECOND).delay == 100 * 10**6


def test_the_plan_at_start_up() -> None:
    always = HostConfig(restart_policy=RestartPolicy(name="always"))
    unless = HostConfig(restart_policy=RestartPolicy(name="unless-stopped"))
    rows = [
        container("alive", Status.RUNNING),
        container("lost", Status.PAUSED),
        container("half", Status.CREATED),
        container("resumes", Status.EXITED, host=always, stopped=True),
        container("rests", Status.EXITED, host=unless, stopped=True),
        container("waits", Status.RESTARTING, host=always),
        container("goes", Status.EXITED, host=HostConfig(auto_remove=True)),
        container("never-started", Status.CREATED, host=always),
    ]
    actions = plan(
        rows,
        alive={"alive"},
        bundles={"alive", "lost", "half", "orphan"},
        directories={"alive", "gone"},
    )
    assert actions == [
        RollBack("half"),
        RollBack("orphan"),
        DeleteFiles("gone"),
        Follow("alive", alive=True),
        Follow("lost", alive=False),
        Start("resumes", by_policy=False),
        Start("waits", by_policy=True),
        Remove("goes"),
    ]


def test_an_update_leaves_what_it_does_not_name() -> None:
    host = HostConfig(memory=1 << 30, cpu_quota=5000, cpu_period=10000, pids_limit=10)
    changed = update.merge(host, UpdateRequest(memory=0, nano_cpus=10**9, pids_limit=0))
    assert (changed.memory, changed.nano_cpus, changed.cpu_quota) == (1 << 30, 10**9, 0)
    assert changed.pids_limit == 0
    with pytest.raises(NotSupported, match="cpu_realtime_runtime"):
        update.merge(host, UpdateRequest(cpu_realtime_runtime=1000))
    assert update.merge(host, UpdateRequest(kernel_memory=1 << 30)) == host


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ('exec: "/bin/web": stat /bin/web: no such file or directory', 127),
        ('exec: "/bin/web": executable file not found in $PATH', 127),
        ('exec: "/bin/web": permission denied', 126),
        ('exec: "/bin/web": is a directory', 126),
        ("open /sys/fs/cgroup/cpu/x: no such file or directory", 128),
        ("mount /srv: permission denied", 128),
        ("conmon died", 128),
    ],
)
def test_exit_codes_of_starts_that_failed(reason: str, code: int) -> None:
    assert start.exit_code_of(reason, ["/bin/web", "-v"]) == code


def test_limits_that_the_kernel_has_not_are_discarded_with_a_warning() -> None:
    facts = HostFacts(capabilities=frozenset(), cgroup_version=1)
    wish = HostConfig(memory=1 << 30, kernel_memory=1 << 20)
    kept, (warning,) = resources.discard(wish, facts)
    assert (kept.memory, kept.memory_swap, kept.kernel_memory) == (1 << 30, 0, 0)
    assert "kernel memory limit" in warning
    kept, (warning,) = resources.discard(
        HostConfig(memory=1 << 30), msgspec.structs.replace(facts, swap_accounting=False)
    )
    assert (kept.memory, kept.memory_swap) == (1 << 30, -1)
    assert "without swap" in warning


def test_ports_on_the_hosts_network_are_warned_of() -> None:
    machine = validate.Host(cpus=1, runtimes=("runc",))
    host = HostConfig(network_mode="host", port_bindings={"80/tcp": [PortBinding()]})
    assert "Published ports are discarded" in validate.check(config(), host, machine)[0]
    assert validate.check(config(), HostConfig(network_mode="host"), machine) == []
