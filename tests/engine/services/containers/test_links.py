"""Links between containers on the default network: hosts, environment, life and death."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from davit.errors import Conflict, DavitError, InvalidParameter, NotFound, SystemFailure
from davit.model.config import ContainerConfig
from davit.model.container import Container
from davit.model.network import EndpointSettings, NetworkSpec
from davit.services.containers import links
from tests.engine.services.containers.test_pure import container
from tests.engine.services.containers.world import World

SLEEP = ("sleep", "1000")


def linked_to(*names: str, **host: Any) -> dict[str, Any]:
    return {"HostConfig": {"Links": list(names), **host}}


def address(world: World, container: Container) -> str:
    sandbox = world.networks.sandbox(container.id)
    assert sandbox is not None
    return sandbox.endpoints["bridge"].ip_address


def hosts(world: World, container: Container) -> list[str]:
    return (world.paths.container(container.id) / "hosts").read_text().splitlines()


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("db", ("db", "db")),
        ("db:x", ("db", "x")),
        ("/db:/web/x", ("db", "x")),
        ("/db", ("db", "db")),
    ],
)
def test_a_link_is_read(link: str, expected: tuple[str, str]) -> None:
    assert links.parse(link) == expected


@pytest.mark.parametrize("link", ["", "a:b:c", ":x", "a:"])
def test_a_link_that_is_none(link: str) -> None:
    with pytest.raises(InvalidParameter, match="links"):
        links.parse(link)


def test_the_environment_is_as_documented() -> None:
    child = container("db")
    config = ContainerConfig(
        env=["PATH=/bin", "HOME=/root", "LANG=C", "BARE"],
        exposed_ports={port: {} for port in ("53/udp", "9000-9002/tcp", "80/tcp")},
    )
    linked = links.Linked(
        "my-db",
        "web",
        Container(
            **{name: getattr(child, name) for name in child.__struct_fields__ if name != "config"},
            config=config,
        ),
        EndpointSettings(ip_address="10.1.0.5"),
    )
    entries = links.environment([linked])
    assert entries[:5] == [
        "MY_DB_PORT=tcp://10.1.0.5:80",
        "MY_DB_PORT_9000_TCP_START=tcp://10.1.0.5:9000",
        "MY_DB_PORT_9000_TCP_PORT_START=9000",
        "MY_DB_PORT_9002_TCP_END=tcp://10.1.0.5:9002",
        "MY_DB_PORT_9002_TCP_PORT_END=9002",
    ]
    assert entries[5:9] == [
        "MY_DB_PORT_80_TCP=tcp://10.1.0.5:80",
        "MY_DB_PORT_80_TCP_ADDR=10.1.0.5",
        "MY_DB_PORT_80_TCP_PORT=80",
        "MY_DB_PORT_80_TCP_PROTO=tcp",
    ]
    assert "MY_DB_PORT_53_UDP=udp://10.1.0.5:53" in entries
    assert entries[-2:] == ["MY_DB_NAME=/web/my-db", "MY_DB_ENV_LANG=C"]


async def test_a_link_gives_hosts_and_environment(world: World) -> None:
    db = await world.run("db", *SLEEP, Env=["SECRET=s"], ExposedPorts={"5432/tcp": {}})
    web = await world.run(
        "web",
        *("sh", "-c", "env; cat /etc/hosts; ping -c1 -w5 sql >/dev/null && echo pinged"),
        Env=["SQL_ENV_SECRET=mine"],
        **linked_to("db:sql"),
    )
    await world.ended(web)
    log = world.log(web).splitlines()
    assert f"SQL_PORT_5432_TCP=tcp://{address(world, db)}:5432" in log
    assert "SQL_NAME=/web/sql" in log
    assert "SQL_ENV_SECRET=mine" in log, "the container's own variables come first"
    assert f"{address(world, db)}\tsql {db.config.hostname} db" in log
    assert "pinged" in log


async def test_inspect_and_list_show_links(world: World) -> None:
    db = await world.run("db", *SLEEP)
    web = await world.create("web", **linked_to("db:sql", db.id[:12]))
    details = await world.containers.inspect("web")
    assert details.links == ["/db:/web/sql", f"/db:/web/{db.id[:12]}"]
    assert (await world.containers.inspect("db")).link_names == [
        "/web/sql",
        f"/web/{db.id[:12]}",
    ]
    await world.containers.rename("db", "data")
    assert (await world.containers.inspect("web")).links[0] == "/data:/web/sql"
    await world.containers.remove("data", force=True)
    assert (await world.containers.inspect("web")).links == []
    await world.containers.start(web.id)
    assert not any("sql" in line for line in hosts(world, web))


async def test_hosts_follow_what_is_linked(world: World) -> None:
    db = await world.run("db", *SLEEP)
    first = address(world, db)
    web = await world.run("web", *SLEEP, **linked_to("db:sql"))
    path = world.paths.container(web.id) / "hosts"
    inode = path.stat().st_ino
    path.write_text(path.read_text() + "10.9.9.9\tby-hand\n")
    await world.containers.stop("db", timeout=0)
    await world.networks.settle()
    await world.run("thief", *SLEEP)  # takes the address that has become free
    await world.containers.start("db")
    second = address(world, db)
    assert second != first
    assert f"{second}\tsql {db.config.hostname} db" in hosts(world, web)
    assert not any(line.startswith(f"{first}\tsql") for line in hosts(world, web))
    await world.containers.rename("db", "data")
    assert f"{second}\tsql {db.config.hostname} data" in hosts(world, web)
    assert hosts(world, web)[-1] == "10.9.9.9\tby-hand"
    assert path.stat().st_ino == inode


async def test_a_link_can_be_removed(world: World) -> None:
    await world.run("db", *SLEEP)
    web = await world.run("web", *SLEEP, **linked_to("db:sql", "db"))
    await world.containers.unlink("/web/sql")
    assert (await world.containers.inspect("web")).links == ["/db:/web/db"]
    assert not any("sql" in line for line in hosts(world, web))
    assert any("\tdb " in line for line in hosts(world, web))
    for reference, kind in (
        ("web/sql", NotFound),
        ("gone/sql", NotFound),
        ("gone", NotFound),
        ("web", Conflict),
    ):
        with pytest.raises(kind):
            await world.containers.unlink(reference)


async def test_what_is_linked_must_run_on_the_default_network(world: World) -> None:
    await world.networks.create(NetworkSpec(name="net"))
    await world.create("db", *SLEEP)
    await world.run("else", *SLEEP, HostConfig={"NetworkMode": "net"})
    web = await world.create("web", *SLEEP, **linked_to("db:sql"))
    with pytest.raises(SystemFailure, match="Cannot link to a non running container: /db AS /web"):
        await world.containers.start("web")
    other = await world.create("other", *SLEEP, **linked_to("else"))
    with pytest.raises(SystemFailure, match="does not belong to the default network"):
        await world.containers.start(other.id)
    await world.containers.start("db")
    await world.containers.start(web.id)


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (linked_to("nobody:x"), InvalidParameter, "could not get container for nobody"),
        (linked_to("a:b:c"), InvalidParameter, "bad format for links: a:b:c"),
        (linked_to("db", NetworkMode="host"), InvalidParameter, "host type networking can't be"),
        (linked_to("db", NetworkMode="container:db"), InvalidParameter, "container type network"),
        (linked_to("hosted"), InvalidParameter, "host type networking can't be used with links"),
    ],
)
async def test_what_cannot_be_linked(
    world: World, request_: dict[str, Any], kind: type[DavitError], words: str
) -> None:
    await world.create("db", *SLEEP)
    await world.create("hosted", *SLEEP, HostConfig={"NetworkMode": "host"})
    with pytest.raises(kind, match=words):
        await world.create("web", *SLEEP, **request_)


async def test_a_link_into_a_shared_network_leads_to_its_owner(world: World) -> None:
    owner = await world.run("owner", *SLEEP)
    await world.create("guest", *SLEEP, HostConfig={"NetworkMode": "container:owner"})
    web = await world.create("web", *SLEEP, **linked_to("guest:g"))
    assert web.links == {"g": owner.id}


async def test_links_of_a_user_defined_network_are_its_endpoints(world: World) -> None:
    await world.networks.create(NetworkSpec(name="net"))
    web = await world.create("web", *SLEEP, **linked_to("db:sql", NetworkMode="net"))
    assert (web.links, web.networks["net"].links) == ({}, ["db:sql"])
    assert (await world.containers.inspect("web")).links == []


async def test_davitd_starts_what_is_linked_first(world: World) -> None:
    names = ["cc", "bb", "aa"]
    always = {"RestartPolicy": {"Name": "always"}}
    await world.run("cc", *SLEEP, HostConfig=always)
    await world.run("bb", *SLEEP, **linked_to("cc", **always))
    await world.run("aa", *SLEEP, **linked_to("bb", **always))
    await world.crash()
    for name in names:  # they end while davitd is away
        os.kill(world.store.get(name).state.pid, signal.SIGKILL)
    started = asyncio.Event()
    world.listener = lambda _: started.set() if running() == set(names) else None

    def running() -> set[str]:
        return {row.name for row in world.store.all() if row.state.status.is_running}

    await world.open()
    await asyncio.wait_for(started.wait(), 20)
    times = [world.store.get(name).state.started_at for name in names]
    assert times == sorted(times)
