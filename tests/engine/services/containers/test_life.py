"""Verbs on real containers."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from pathlib import Path

import pytest

from davit.errors import Conflict, InvalidParameter, NotFound, NotModified
from davit.model import codec
from davit.model.container import Status, UpdateRequest
from davit.model.filters import Filters
from davit.model.network import EndpointSettings, NetworkSpec
from davit.services.containers import policy
from tests.engine.services.containers.world import World

SLEEP = ("sleep", "1000")
DEAF = ("sh", "-c", "echo ready; exec sleep 1000")
TRAP = ("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")


async def test_starting_twice_and_stopping_twice_change_nothing(world: World) -> None:
    container = await world.run("box", *SLEEP)
    with pytest.raises(NotModified):
        await world.containers.start("box")
    await world.containers.kill("box")
    assert world.store.get("box").state.exit_code == 137
    with pytest.raises(NotModified):
        await world.containers.stop("box")
    with pytest.raises(Conflict, match=f"Container {container.id} is not running"):
        await world.containers.kill("box")


async def test_stop_asks_first_and_kills_then(world: World) -> None:
    asked = await world.ready(await world.run("asked", *TRAP))
    await world.containers.stop("asked")
    assert world.store.get("asked").state.exit_code == 3
    assert world.actions(asked) == ["create", "start", "kill", "die", "stop"]
    deaf = await world.ready(await world.run("deaf", *DEAF))
    await world.containers.stop("deaf", timeout=0)
    assert world.store.get("deaf").state.exit_code == 137
    assert world.actions(deaf) == ["create", "start", "kill", "kill", "die", "stop"]


async def test_a_kill_gets_through_while_a_stop_waits(world: World) -> None:
    await world.ready(await world.run("box", *DEAF))
    told = asyncio.Event()
    world.listener = lambda action: told.set() if action == "kill" else None
    stopping = asyncio.create_task(world.containers.stop("box", timeout=600))
    await told.wait()
    await world.containers.kill("box")
    await asyncio.wait_for(stopping, 10)
    assert world.store.get("box").state.exit_code == 137


async def test_pause_freezes_and_stop_ends_what_is_paused(world: World) -> None:
    container = await world.ready(await world.run("box", *TRAP))
    await world.containers.pause("box")
    assert world.store.get("box").state.status is Status.PAUSED
    with pytest.raises(Conflict, match="already paused"):
        await world.containers.pause("box")
    with pytest.raises(Conflict, match="is paused and must be unpaused first"):
        await world.containers.remove("box")
    await world.containers.unpause("box")
    assert world.store.get("box").state.status is Status.RUNNING
    await world.containers.pause("box")
    await world.containers.stop("box", timeout=5)
    assert world.store.get("box").state.exit_code == 3
    assert world.actions(container)[2:5] == ["pause", "unpause", "pause"]


async def test_a_paused_container_that_ends_while_it_is_thawed_has_exited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await world.run("box", "sleep", "600")
    await world.containers.pause("box")
    resume = world.context.monitors.resume

    async def resume_to_the_end(container_id: str) -> None:
        await resume(container_id)
        await world.context.runs[container.id].exited.wait()

    monkeypatch.setattr(world.context.monitors, "resume", resume_to_the_end)
    await world.containers.kill("box")
    assert world.store.get("box").state.status is Status.EXITED


async def test_a_running_container_is_removed_by_force_only(world: World) -> None:
    await world.run("box", *SLEEP)
    with pytest.raises(Conflict, match='cannot remove container "/box": container is running'):
        await world.containers.remove("box")
    await world.containers.remove("box", force=True)
    with pytest.raises(NotFound, match="No such container: box"):
        world.containers.get("box")


async def test_restart_gives_a_new_process(world: World) -> None:
    before = await world.run("box", *TRAP)
    await world.containers.restart("box", timeout=5)
    after = world.store.get("box")
    assert after.state.pid not in (0, before.state.pid)
    assert after.state.restart_count == 0
    assert world.actions(before)[-1] == "restart"


async def test_auto_removal_answers_who_waits_for_it(world: World) -> None:
    container = await world.create(
        "box", "sh", "-c", "exit 4", HostConfig={"AutoRemove": True}, Volumes={"/data": {}}
    )
    removed = world.containers.wait("box", "removed")
    exited = world.containers.wait("box", "next-exit")
    await world.containers.start("box")
    assert (await exited).exit_code == 4
    assert (await removed).exit_code == 4
    assert world.store.find(container.id) is None
    assert world.volumes.all() == []


async def test_the_policy_restarts_until_the_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FIRST_DELAY", 10**6)
    host = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    container = await world.run("box", "sh", "-c", "exit 5", HostConfig=host)
    await world.settle()
    state = world.store.get("box").state
    assert (state.status, state.exit_code, state.restart_count) == (Status.EXITED, 5, 2)
    assert world.actions(container).count("start") == 3


async def test_stop_ends_a_container_that_waits_for_its_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FIRST_DELAY", 10**12)
    host = {"RestartPolicy": {"Name": "always"}}
    container = await world.run("box", "true", HostConfig=host)
    await world.context.runs[container.id].cleaned.wait()
    assert world.store.get("box").state.status is Status.RESTARTING
    await world.containers.stop("box")
    assert world.store.get("box").state.status is Status.EXITED
    await world.settle()
    assert world.actions(container).count("start") == 1


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"Cmd": ["/nope"]}, 127, "no such file or directory"),
        ({"Cmd": ["nope"]}, 127, "executable file not found"),
        ({"Cmd": ["/etc/passwd"]}, 126, "permission denied"),
        ({"User": "nobody-here"}, 128, "unable to find user nobody-here"),
    ],
)
async def test_a_start_that_fails_leaves_the_reason_alone(
    world: World, request_: dict[str, object], code: int, words: str
) -> None:
    container = await world.create("box", **request_)
    with pytest.raises(InvalidParameter, match=words):
        await world.containers.start("box")
    state = world.store.get("box").state
    assert (state.status, state.exit_code) == (Status.CREATED, code)
    assert words in state.error
    assert world.networks.sandbox(container.id) is None
    assert world.traces() == []


async def test_a_taken_port_undoes_the_start(world: World) -> None:
    ports = {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "28311"}]}}}
    await world.run("first", *SLEEP, **ports)
    await world.create("second", *SLEEP, **ports)
    before = set(world.traces())
    with pytest.raises(Conflict, match="28311"):
        await world.containers.start("second")
    assert set(world.traces()) == before
    await world.containers.remove("first", force=True)
    await world.containers.start("second")


async def test_generated_files(world: World) -> None:
    container = await world.run(
        "box",
        *("sh", "-c", "cat /etc/hostname; cat /etc/hosts; cat /etc/resolv.conf; pwd"),
        Hostname="box",
        WorkingDir="/not/there/yet",
        HostConfig={"ExtraHosts": ["db:10.1.2.3"], "Dns": ["192.0.2.53"]},
    )
    await world.ended(container)
    log = world.log(container)
    assert log.startswith("box\n127.0.0.1\tlocalhost")
    assert "10.1.2.3\tdb" in log
    assert re.search(r"^10\.213\.\d+\.\d+\tbox$", log, re.M)
    assert log.endswith("nameserver 192.0.2.53\n/not/there/yet")


async def test_the_hosts_network_has_the_hosts_files(world: World) -> None:
    container = await world.run(
        "box",
        *("sh", "-c", "hostname; cat /etc/hosts"),
        HostConfig={"NetworkMode": "host", "ExtraHosts": ["me:host-gateway", "six=::2"]},
    )
    await world.ended(container)
    lines = world.log(container).splitlines()
    assert lines[0] == socket.gethostname()
    assert lines[-2:] == ["127.0.0.1\tme", "::2\tsix"]


async def test_an_empty_volume_is_filled_from_the_image_and_kept(world: World) -> None:
    host = {"Binds": ["data:/etc"]}
    first = await world.run("aa", "sh", "-c", "ls /etc; rm /etc/group", HostConfig=host)
    await world.ended(first)
    assert "passwd" in world.log(first)
    second = await world.run("bb", "ls", "/etc", HostConfig=host)
    await world.ended(second)
    assert "passwd" in world.log(second)
    assert "group" not in world.log(second).split()
    with pytest.raises(Conflict, match="volume is in use"):
        await world.volumes.remove("data")
    empty = await world.create("nn", HostConfig={"Binds": ["other:/etc:nocopy"]})
    assert os.listdir(world.volumes.path("other")) == []
    assert empty.mounts[0].source == str(world.volumes.path("other"))


async def test_another_containers_network_and_its_death(world: World) -> None:
    await world.create("joins", "hostname", HostConfig={"NetworkMode": "bridge"})
    host = {"HostConfig": {"NetworkMode": "container:main"}}
    main = await world.create("main", *SLEEP, Hostname="main-host")
    guest = await world.create("guest", "sh", "-c", "hostname; ip -4 -o addr", **host)
    with pytest.raises(Conflict, match="non running container: main"):
        await world.containers.start("guest")
    await world.containers.start("main")
    await world.containers.start("guest")
    await world.ended(guest)
    sandbox = world.networks.sandbox(main.id)
    assert sandbox is not None
    assert world.log(guest).startswith("main-host\n")
    assert sandbox.endpoints["bridge"].ip_address in world.log(guest)


async def test_containers_find_each_other_on_their_network(world: World) -> None:
    await world.networks.create(codec.convert({"Name": "net", "Driver": "bridge"}, NetworkSpec))
    await world.run("one", *SLEEP)
    two = await world.run("two", *SLEEP, HostConfig={"NetworkMode": "net"})
    with pytest.raises(NotFound):
        await world.containers.connect("nope", "one", EndpointSettings())
    await world.containers.connect("net", "one", EndpointSettings(aliases=["uno"]))
    assert list(world.store.get("one").networks) == ["bridge", "net"]
    asks = await world.run(
        "asks", "ping", "-c1", "uno", HostConfig={"NetworkMode": "net"}, StopTimeout=1
    )
    assert (await world.ended(asks)).exit_code == 0, world.log(asks)
    await world.containers.disconnect("net", "one")
    assert list(world.store.get("one").networks) == ["bridge"]
    with pytest.raises(Conflict, match="is not connected"):
        await world.containers.disconnect("net", "one")
    await world.containers.disconnect("net", two.id)


async def test_shared_memory_is_shared(world: World) -> None:
    donor = await world.run(
        "donor",
        *("sh", "-c", "echo shared >/dev/shm/x; sleep 1000"),
        HostConfig={"IpcMode": "shareable"},
    )
    guest = await world.create(
        "guest",
        *("sh", "-c", "until cat /dev/shm/x; do sleep 0.05; done 2>/dev/null"),
        HostConfig={"IpcMode": "container:donor", "PidMode": "container:donor"},
    )
    await world.containers.start("guest")
    assert (await world.ended(guest)).exit_code == 0
    assert world.log(guest) == "shared"
    assert world.store.get("donor").id == donor.id


async def test_rename_and_update(world: World) -> None:
    await world.create("other")
    container = await world.run("old", *SLEEP)
    with pytest.raises(Conflict, match="is already in use by container"):
        await world.containers.rename("old", "other")
    await world.containers.rename("old", "new")
    assert world.containers.get("/new").id == container.id
    await world.containers.update(
        "new", codec.convert({"Memory": 64 << 20, "MemorySwap": 64 << 20}, UpdateRequest)
    )
    limits = [
        path.read_text().strip()
        for path in Path("/sys/fs/cgroup").glob(f"**/{container.id}/memory.*")
        if path.name in ("memory.limit_in_bytes", "memory.max")
    ]
    assert limits == [str(64 << 20)]
    with pytest.raises(InvalidParameter, match="Minimum memory limit"):
        await world.containers.update("new", UpdateRequest(memory=1024))
    assert world.store.get("new").host_config.memory == 64 << 20


async def test_list_and_prune(world: World) -> None:
    await world.run("up", *SLEEP, Labels={"role": "a"})
    await world.create("down", Labels={"role": "b"})
    ended = await world.run("gone", "sh", "-c", "exit 9")
    await world.ended(ended)

    async def names(every: bool = False, limit: int = 0, **filters: list[str]) -> list[str]:
        found = await world.containers.select(Filters(filters), every=every, limit=limit)
        return [details.container.name for details in found]

    assert await names() == ["up"]
    assert await names(every=True) == ["gone", "down", "up"]
    assert await names(limit=2) == ["gone", "down"]
    assert await names(exited=["9"]) == ["gone"]
    assert await names(status=["created"]) == ["down"]
    assert await names(every=True, name=["^/?d"]) == ["down"]
    assert await names(every=True, label=["role=b"]) == ["down"]
    assert await names(every=True, since=["up"], before=["gone"]) == ["down"]
    assert await names(every=True, ancestor=["busybox"]) == ["gone", "down", "up"]
    assert await names(every=True, network=["none"]) == []
    with pytest.raises(InvalidParameter, match="status=odd"):
        await names(status=["odd"])
    removed, _ = await world.containers.prune(Filters({"label!": ["role=b"]}))
    assert removed == [ended.id]
    assert await names(every=True) == ["down", "up"]
