"""Bad requests: each is refused with words that help, and leaves everything as it was."""

from __future__ import annotations

from typing import Any

import pytest

from davit.errors import Conflict, DavitError, InvalidParameter, NotFound, NotSupported
from davit.model.config import RestartPolicy
from davit.model.container import UpdateRequest
from davit.model.network import PREDEFINED
from tests.engine.services.containers.world import World

Request = dict[str, Any]


def host(**options: Any) -> Request:
    return {"HostConfig": options}


def bind(read_only: bool = False, **options: Any) -> Request:
    mount = {"Type": "bind", "Source": "/tmp", "Target": "/x", "ReadOnly": read_only}
    return host(Mounts=[{**mount, "BindOptions": options}])


REFUSALS: list[tuple[Request, type[DavitError], str]] = [
    ({"Image": "nope"}, NotFound, "No such image: nope:latest"),
    ({"Image": ""}, InvalidParameter, "Config.Image is empty"),
    ({"Env": ["=x"]}, InvalidParameter, "invalid environment variable: '=x'"),
    ({"WorkingDir": "rel"}, InvalidParameter, "'rel' is invalid, it needs to be an absolute"),
    ({"StopSignal": "SIGODD"}, InvalidParameter, "invalid signal: SIGODD"),
    ({"Hostname": "x" * 65}, InvalidParameter, "64 characters at most"),
    ({"ExposedPorts": {"80/icmp": {}}}, InvalidParameter, "invalid proto: icmp"),
    ({"Volumes": {"data": {}}}, InvalidParameter, "mount path must be absolute"),
    ({"Healthcheck": {"Test": ["RUN", "x"]}}, InvalidParameter, "Healthcheck.Test"),
    ({"Healthcheck": {"Interval": 5}}, InvalidParameter, "Interval in Healthcheck cannot be less"),
    (host(Binds=["/a:/b:odd"]), InvalidParameter, "invalid mode: odd"),
    (host(Binds=["/tmp:rel"]), InvalidParameter, "invalid mount path: 'rel'"),
    (host(Binds=["/tmp:/"]), InvalidParameter, "destination can't be '/'"),
    (host(Binds=["::"]), InvalidParameter, "invalid volume specification: '::'"),
    (host(Binds=["a:/x", "b:/x"]), InvalidParameter, "Duplicate mount point: /x"),
    (host(Binds=["a:/x"], Tmpfs={"/x/": ""}), InvalidParameter, "Duplicate mount point: /x"),
    (host(Binds=["a b:/x"]), InvalidParameter, "includes invalid characters"),
    (
        host(Mounts=[{"Type": "bind", "Source": "/not/there", "Target": "/x"}]),
        InvalidParameter,
        'invalid mount config for type "bind": bind source path does not exist: /not/there',
    ),
    (host(Mounts=[{"Type": "odd", "Target": "/x"}]), InvalidParameter, "mount type unknown"),
    (host(Mounts=[{"Type": "tmpfs"}]), InvalidParameter, "field Target must not be empty"),
    (
        host(Mounts=[{"Type": "tmpfs", "Target": "/x", "Source": "/y"}]),
        InvalidParameter,
        "field Source must not be specified",
    ),
    (
        host(Mounts=[{"Type": "bind", "Source": "/tmp", "Target": "/x", "VolumeOptions": {}}]),
        InvalidParameter,
        "field VolumeOptions must not be specified",
    ),
    (host(Mounts=[{"Type": "npipe", "Target": "/x"}]), InvalidParameter, "mount type unknown"),
    (host(Tmpfs={"/x": "size=lots"}), InvalidParameter, "size=lots"),
    (host(VolumesFrom=["gone"]), InvalidParameter, "No such container: gone"),
    (host(VolumeDriver="flocker", Binds=["v:/v"]), NotSupported, 'plugin "flocker" not found'),
    (host(NetworkMode="nope"), InvalidParameter, "network nope not found"),
    (host(NetworkMode="container:gone"), InvalidParameter, "No such container: gone"),
    (
        {
            **host(NetworkMode="host"),
            "NetworkingConfig": {
                "EndpointsConfig": {"host": {"IPAMConfig": {"IPv4Address": "1.2.3.4"}}}
            },
        },
        InvalidParameter,
        "user specified IP address is supported on user defined networks only",
    ),
    (host(IpcMode="odd"), InvalidParameter, "invalid IPC mode: odd"),
    (host(PidMode="odd"), InvalidParameter, "invalid PID mode: odd"),
    (
        {"Hostname": "x", "HostConfig": {"UTSMode": "host"}},
        InvalidParameter,
        "conflicting options: hostname and the UTS mode",
    ),
    (host(Memory=1024), InvalidParameter, "Minimum memory limit allowed is 6MB"),
    (host(MemorySwap=1 << 30), InvalidParameter, "always set the Memory limit"),
    (host(NanoCpus=10**12), InvalidParameter, "Range of CPUs is from 0.01"),
    (host(CpuPeriod=5), InvalidParameter, "CPU cfs period can not be less than 1ms"),
    (host(CpusetCpus="999"), InvalidParameter, "Requested CPUs are not available"),
    (host(CpusetMems="999"), InvalidParameter, "Requested memory nodes are not available"),
    (host(OomScoreAdj=5000), InvalidParameter, "range for oom score adj"),
    (
        host(Ulimits=[{"Name": "nofile", "Soft": 10, "Hard": 5}]),
        InvalidParameter,
        "soft limit must be less than or equal to hard limit: 10 > 5",
    ),
    (host(CapAdd=["CAP_ODD"]), InvalidParameter, "CAP_ODD"),
    (host(SecurityOpt=["odd=1"]), InvalidParameter, "odd=1"),
    (host(LogConfig={"Type": "odd"}), InvalidParameter, "no log driver named 'odd'"),
    (host(RestartPolicy={"Name": "odd"}), InvalidParameter, "unknown policy 'odd'"),
    (
        host(RestartPolicy={"Name": "always", "MaximumRetryCount": 2}),
        InvalidParameter,
        "maximum retry count can only be used with 'on-failure'",
    ),
    (
        host(RestartPolicy={"Name": "always"}, AutoRemove=True),
        InvalidParameter,
        "can't create 'AutoRemove' container with restart policy",
    ),
    (host(PortBindings={"http": []}), InvalidParameter, "invalid port specification: 'http'"),
    (host(PortBindings={"80": [{"HostPort": "x"}]}), InvalidParameter, "invalid hostPort: 'x'"),
    (host(PortBindings={"80": [{"HostIp": "x"}]}), InvalidParameter, "invalid IP address: x"),
    (host(Dns=["x"]), InvalidParameter, "invalid DNS server 'x'"),
    (host(ExtraHosts=["x=nowhere"]), InvalidParameter, 'bad format for add-host: "x=nowhere"'),
    (host(ExtraHosts=["x"]), InvalidParameter, 'bad format for add-host: "x"'),
    (host(Runtime="kata"), InvalidParameter, "unknown or invalid runtime name: kata"),
    (host(StorageOpt={"size": "1G"}), NotSupported, "only for overlay over xfs with 'pquota'"),
    (
        host(DeviceRequests=[{"Count": -1, "Capabilities": [["gpu"]]}]),
        NotSupported,
        'could not select device driver "" with capabilities: [[gpu]]',
    ),
    (bind(ReadOnlyForceRecursive=True), InvalidParameter, "ReadOnlyForceRecursive needs ReadOnly"),
    (
        bind(True, ReadOnlyForceRecursive=True, ReadOnlyNonRecursive=True),
        InvalidParameter,
        "ReadOnlyForceRecursive and ReadOnlyNonRecursive conflict",
    ),
    (
        bind(True, ReadOnlyForceRecursive=True, Propagation="shared"),
        InvalidParameter,
        "needs the propagation rprivate",
    ),
    (host(Sysctls={"kernel.hostname": "x"}), InvalidParameter, "kernel.hostname"),
]


async def test_refused_requests_leave_nothing(world: World) -> None:
    for request, kind, words in REFUSALS:
        before = world.traces()
        with pytest.raises(kind) as caught:
            await world.create("box", **request)
        assert words in caught.value.message, request
        # Every refusal comes before anything is made, a volume beside the bad one included.
        options = request.get("HostConfig", {})
        binds = [*options.get("Binds", []), "fresh:/fresh"]
        with pytest.raises(kind):
            await world.create("box", **{**request, "HostConfig": {**options, "Binds": binds}})
        assert world.volumes.all() == [], request
        assert world.store.all() == []
        assert world.traces() == before
    await world.create("box")


async def test_only_shareable_ipc_is_joined(world: World) -> None:
    donor = await world.create("donor")
    with pytest.raises(InvalidParameter, match=f"{donor.id}: non-shareable IPC"):
        await world.create("box", **host(IpcMode="container:donor"))
    sharing = await world.create("sharing", **host(IpcMode="shareable"))
    box = await world.create("box", **host(IpcMode="container:sharing"))
    assert box.host_config.ipc_mode == f"container:{sharing.id}"


async def test_a_taken_name_is_told_with_its_holder(world: World) -> None:
    holder = await world.create("box")
    with pytest.raises(Conflict) as caught:
        await world.create("box", Volumes={"/data": {}})
    assert caught.value.message == (
        'Conflict. The container name "/box" is already in use by container '
        f'"{holder.id}". You have to remove (or rename) that container to be able to reuse that '
        "name."
    )
    assert world.volumes.all() == []
    for name in ("a b", "-x", "é", "x"):
        with pytest.raises(InvalidParameter, match="Invalid container name"):
            await world.create(name)


async def test_references(world: World) -> None:
    first = await world.create("first")
    assert world.containers.get("/first") == first
    assert world.containers.get(first.id[:7]) == first
    with pytest.raises(NotFound, match="No such container: gone"):
        world.containers.get("gone")
    others = [await world.create() for _ in range(17)]
    shared = [other for other in others if other.id[0] == others[0].id[0]]
    digits = {other.id[0] for other in [first, *others]}
    assert len(digits) < 18
    if len(shared) > 1:
        with pytest.raises(InvalidParameter, match="multiple IDs found"):
            world.containers.get(others[0].id[0])


async def test_predefined_networks_only_when_named(world: World) -> None:
    for name in PREDEFINED:
        container = await world.create(f"on-{name}", HostConfig={"NetworkMode": name})
        assert list(container.networks) == [name]


async def test_the_runtimes_are_listed_once(world: World) -> None:
    with pytest.raises(
        InvalidParameter, match=r"name: kata; known here: runc, io\.containerd\.runc\.v2;"
    ):
        await world.create("box", **host(Runtime="kata"))


async def test_updates_that_conflict_with_what_is_set(world: World) -> None:
    await world.create("box", **host(Memory=64 << 20, MemorySwap=96 << 20, AutoRemove=True))
    with pytest.raises(Conflict, match="smaller than already set memoryswap limit"):
        await world.containers.update("box", UpdateRequest(memory=128 << 20))
    with pytest.raises(Conflict, match="because AutoRemove is enabled"):
        await world.containers.update("box", UpdateRequest(restart_policy=RestartPolicy("always")))
    await world.containers.update("box", UpdateRequest(memory=128 << 20, memory_swap=256 << 20))
    limits = world.store.get("box").host_config
    assert (limits.memory, limits.memory_swap) == (128 << 20, 256 << 20)
