"""Published ports, from everywhere they are to be reached from."""

import asyncio
import socket
from pathlib import Path

import pytest

from davit.errors import Conflict, InvalidParameter, NotSupported, Unavailable
from davit.model.config import PortBinding
from davit.model.network import EndpointSettings, Sandbox
from davit.sys import netns
from tests.engine.services.networks.world import Echo, World, fetch

ANYWHERE = {"80/tcp": [PortBinding()]}


def host_port(sandbox: Sandbox) -> int:
    return int(sandbox.ports["80/tcp"][0].host_port)


async def test_reached_from_the_host(world: World) -> None:
    web = await world.run("web", ports=ANYWHERE)
    endpoint = web.endpoints["bridge"]
    async with Echo(web, "web", 80):
        assert await fetch("127.0.0.1", host_port(web)) == f"web {endpoint.gateway}"
        assert (await fetch(endpoint.gateway, host_port(web))).startswith("web ")


async def test_reached_from_outside(world: World, outside: Path) -> None:
    web = await world.run("web", ports=ANYWHERE)
    async with Echo(web, "web", 80):
        assert await fetch("10.233.0.1", host_port(web), outside) == "web 10.233.0.2"
        with pytest.raises(asyncio.TimeoutError):  # an unpublished port, past the host's address
            await fetch(web.endpoints["bridge"].ip_address, 80, outside)


async def test_reached_from_containers_through_the_host(world: World, outside: Path) -> None:
    await world.network("other")
    web = await world.run("web", ports=ANYWHERE)
    neighbour, stranger = await world.run("neighbour"), await world.run("stranger", ["other"])
    async with Echo(web, "web", 80):
        for client in (stranger, neighbour, web):
            assert (await fetch("10.233.0.1", host_port(web), client.netns)).startswith("web ")


async def test_the_way_out_is_masqueraded(world: World, outside: Path) -> None:
    cli = await world.run("cli")
    async with Echo(outside, "outside", 8080):
        assert await fetch("10.233.0.2", 8080, cli.netns) == "outside 10.233.0.1"


async def test_one_host_address_only(world: World, outside: Path) -> None:
    local = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port="")]}
    web = await world.run("web", ports=local)
    async with Echo(web, "web", 80):
        assert await fetch("127.0.0.1", host_port(web))
        for where in (None, outside):
            with pytest.raises(ConnectionRefusedError):
                await fetch("10.233.0.1", host_port(web), where)


async def test_a_port_moves_to_the_next_container(world: World) -> None:
    first = await world.run("first", ports=ANYWHERE)
    fixed = {"80/tcp": [PortBinding(host_port=str(host_port(first)))]}
    await world.service.leave(first.container_id)
    second = await world.run("second", ports=fixed)
    async with Echo(second, "second", 80):
        assert (await fetch("127.0.0.1", host_port(first))).startswith("second ")


async def test_a_port_follows_the_default_route(world: World) -> None:
    await world.network("aaa")
    web = await world.run("web", ports=ANYWHERE)
    async with Echo(web, "web", 80):
        network = world.service.resolve("aaa")
        await world.service.connect(web.container_id, network, EndpointSettings())
        assert await fetch("127.0.0.1", host_port(web))
        await world.service.disconnect(web.container_id, network)
        assert await fetch("127.0.0.1", host_port(web))


async def test_a_port_of_another_container_is_refused(world: World) -> None:
    first = await world.run("first", ports=ANYWHERE)
    fixed = {"81/tcp": [PortBinding()], "80/tcp": [PortBinding(host_port=str(host_port(first)))]}
    before = world.traces()
    with pytest.raises(
        Conflict,
        match=rf"on endpoint second: Bind for 0.0.0.0:{host_port(first)} failed: port is already "
        "allocated: .*container 'first' has it",
    ):
        await world.run("second", ports=fixed)
    await world.service.settle()
    assert world.traces() == before


async def test_a_port_of_another_process_is_refused(world: World) -> None:
    before = world.traces()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = {"80/tcp": [PortBinding(host_port=str(server.getsockname()[1]))]}
        with pytest.raises(Conflict, match=r"port is already allocated.*another process"):
            await world.run("web", ports=taken)
    await world.service.settle()
    assert world.traces() == before


async def test_an_address_that_is_not_the_hosts_is_refused(world: World) -> None:
    with pytest.raises(InvalidParameter, match=r"on 10\.99\.99\.99: cannot assign requested"):
        await world.run("web", ports={"80/tcp": [PortBinding(host_ip="10.99.99.99")]})


async def test_udp(world: World) -> None:
    web = await world.run("web", ports={"53/udp": [PortBinding()]})
    with netns.inside(Path(web.netns)):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("0.0.0.0", 53))
        client.sendto(b"ping", ("127.0.0.1", int(web.ports["53/udp"][0].host_port)))
        server.settimeout(2)
        data, peer = server.recvfrom(100)
        assert data == b"ping"
        server.sendto(b"pong", peer)
        client.settimeout(2)
        assert client.recv(100) == b"pong"


async def test_rules_that_somebody_flushed_come_back(world: World) -> None:
    first = await world.run("first", ports=ANYWHERE)
    before = world.rules()
    world.flush_rules()
    second = await world.run("second", ports=ANYWHERE)
    async with Echo(first, "first", 80):
        assert await fetch("127.0.0.1", host_port(first))
    world.flush_rules()
    await world.service.leave(second.container_id)
    await world.service.settle()
    assert world.rules() == before


async def test_many_at_once(world: World) -> None:
    before = world.rules()
    joined = await asyncio.gather(*(world.run(f"c{i}", ports=ANYWHERE) for i in range(8)))
    assert len({host_port(sandbox) for sandbox in joined}) == 8
    for sandbox in joined:
        assert f"tcp . {host_port(sandbox)} : " in world.rules()
    await asyncio.gather(*(world.service.leave(each.container_id) for each in joined[1:]))
    async with Echo(joined[0], "first", 80):
        assert await fetch("127.0.0.1", host_port(joined[0]))
    await world.service.leave(joined[0].container_id)
    await world.service.settle()
    assert world.rules() == before


async def test_a_filter_that_failed_is_made_good(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.traces()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")
        with pytest.raises(Unavailable, match="nft is not installed"):
            await world.run("first", ports=ANYWHERE)
        await world.service.settle()
    web = await world.run("web", ports=ANYWHERE)
    async with Echo(web, "web", 80):
        assert await fetch("127.0.0.1", host_port(web))
    await world.service.leave(web.container_id)
    await world.service.settle()
    assert world.traces() == before


async def test_reached_over_ipv6(world: World, outside: Path) -> None:
    world.shown("ip", "address", "add", "fd00:233::1/64", "dev", _link_out(), "nodad")
    inside = ["nsenter", f"--net={outside}", "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0"]
    world.shown(*inside)
    for what in ("address add fd00:233::2/64 dev eth0 nodad", "route add default via fd00:233::1"):
        world.shown("nsenter", f"--net={outside}", "ip", "-6", *what.split())
    await world.network("app", enable_ipv6=True)
    web, neighbour = await world.run("web", ["app"], ports=ANYWHERE), await world.run("n", ["app"])
    sides = [(side.host_ip, side.host_port) for side in web.ports["80/tcp"]]
    assert sides == [("0.0.0.0", str(host_port(web))), ("::", str(host_port(web)))]
    endpoint = web.endpoints["app"]
    async with Echo(web, "web", 80), Echo(web, "web6", 80, endpoint.global_ipv6_address):
        assert await fetch("127.0.0.1", host_port(web)) == f"web {endpoint.gateway}"
        assert await fetch("::1", host_port(web)) == f"web6 {endpoint.ipv6_gateway}"
        assert (await fetch(endpoint.ipv6_gateway, host_port(web))).startswith("web6 ")
        assert await fetch("fd00:233::1", host_port(web), outside) == "web6 fd00:233::2"
        for client in (web, neighbour):
            assert (await fetch("fd00:233::1", host_port(web), client.netns)).startswith("web6 ")
        with pytest.raises(asyncio.TimeoutError):  # an unpublished port, past the host's address
            await fetch(endpoint.global_ipv6_address, 80, outside)
        await world.restart([web.container_id, neighbour.container_id])
        assert (await fetch("fd00:233::1", host_port(web))).startswith("web6 ")
        await world.service.leave(web.container_id)
        await world.service.settle()
        with pytest.raises(ConnectionRefusedError):
            await fetch("fd00:233::1", host_port(web))


async def test_one_ipv6_address_only(world: World, outside: Path) -> None:
    for address in ("fd00:233::1/64", "fd00:233::5/64"):
        world.shown("ip", "address", "add", address, "dev", _link_out(), "nodad")
    wanted = {"80/tcp": [PortBinding(host_ip="fd00:233::1", host_port="")]}
    await world.network("app", enable_ipv6=True)
    web = await world.run("web", ["app"], ports=wanted)
    async with Echo(web, "web6", 80, web.endpoints["app"].global_ipv6_address):
        assert (await fetch("fd00:233::1", host_port(web))).startswith("web6 ")
        for other in ("fd00:233::5", "127.0.0.1"):
            with pytest.raises(ConnectionRefusedError):
                await fetch(other, host_port(web))
    with pytest.raises(NotSupported, match="80/tcp on fd00:233::1: the container has no IPv6"):
        await world.run("other", ports=wanted)


async def test_the_loopback_of_ipv6_only(world: World, outside: Path) -> None:
    wanted = {"80/tcp": [PortBinding(host_ip="::1", host_port="")]}
    web = await world.run("web", ports=wanted)  # which has no IPv6
    assert [side.host_ip for side in web.ports["80/tcp"]] == ["::1"]
    port, gateway = host_port(web), web.endpoints["bridge"].gateway
    async with Echo(web, "web", 80):
        assert await fetch("::1", port) == f"web {gateway}"
        for other in ("127.0.0.1", "10.233.0.1"):
            with pytest.raises(ConnectionRefusedError):
                await fetch(other, port)
        await world.restart([web.container_id])
        assert await fetch("::1", port) == f"web {gateway}"
    assert await fetch("::1", port) == "", "nobody listens in the container"
    await world.service.leave(web.container_id)
    with pytest.raises(ConnectionRefusedError):
        await fetch("::1", port)


def _link_out() -> str:
    """The host's end of the cable to another machine: by 10.233.0.1, which is on it."""
    shown = World.shown("ip", "-o", "address", "show", "to", "10.233.0.1")
    return shown.split()[1]
