"""Options of a bridge: how packets leave and enter it."""

import asyncio
from pathlib import Path

import pytest

from davit.errors import InvalidParameter
from davit.model.config import PortBinding
from davit.model.network import IPAM, EndpointIPAMConfig, EndpointSettings, IPAMPool, Sandbox
from davit.services.networks import options
from davit.services.networks.options import GATEWAY_MODES, SOURCES
from tests.engine.services.networks.world import Echo, World, fetch, run_inside

ANYWHERE = {"80/tcp": [PortBinding()]}
BOTH = IPAM(config=[IPAMPool(subnet="10.232.1.0/24"), IPAMPool(subnet="fd00:231:1::/64")])


@pytest.fixture
def outside6(world: World, outside: Path) -> Path:
    """The other machine with IPv6, too: fd00:233::2, behind fd00:233::1."""
    name = world.shown("ip", "-o", "address", "show", "to", "10.233.0.1").split()[1]
    inside = ["nsenter", f"--net={outside}"]
    # Looking for duplicates would keep neighbours from each other for a second.
    nowhere: list[str] = []
    for where, link in ((nowhere, name), (inside, "eth0")):
        for key, value in (("accept_dad", 0), ("disable_ipv6", 1), ("disable_ipv6", 0)):
            world.shown(*where, "sysctl", "-qw", f"net.ipv6.conf.{link}.{key}={value}")
    world.shown("ip", "address", "add", "fd00:233::1/64", "dev", name, "nodad")
    for what in ("address add fd00:233::2/64 dev eth0 nodad", "route add default via fd00:233::1"):
        world.shown(*inside, "ip", "-6", *what.split())
    return outside


def sides(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(side.host_ip, side.host_port) for side in sandbox.ports["80/tcp"]]


async def test_a_routed_network_is_reached_at_its_own_addresses(
    world: World, outside6: Path
) -> None:
    routed = dict.fromkeys(GATEWAY_MODES.values(), "routed")
    await world.network("app", enable_ipv6=True, ipam=BOTH, options=routed)
    web = await world.run("web", ["app"], ports=ANYWHERE)
    stranger, hidden = await world.run("stranger"), await world.run("hidden", ["app"])
    assert sides(web) == [("0.0.0.0", ""), ("::", "")]
    held = web.endpoints["app"]
    async with (
        Echo(web, "web", 80),
        Echo(web, "web6", 80, held.global_ipv6_address),
        Echo(hidden, "hidden", 80),
        Echo(outside6, "outside", 8080),
        Echo(outside6, "outside", 8080, "fd00:233::2"),
    ):
        assert await fetch(held.ip_address, 80, outside6) == "web 10.233.0.2"
        answer = await fetch(held.global_ipv6_address, 80, outside6)
        assert answer == "web6 fd00:233::2"
        assert (await fetch(held.ip_address, 80, stranger.netns)).startswith("web ")
        # with its own address, and what is not published stays closed
        assert await fetch("10.233.0.2", 8080, web.netns) == f"outside {held.ip_address}"
        answer = await fetch("fd00:233::2", 8080, web.netns)
        assert answer == f"outside {held.global_ipv6_address}"
        for where in (outside6, stranger.netns):
            with pytest.raises(TimeoutError):
                await fetch(hidden.endpoints["app"].ip_address, 80, where)
        await world.restart([web.container_id, stranger.container_id, hidden.container_id])
        assert await fetch(held.ip_address, 80, outside6) == "web 10.233.0.2"
        await world.service.leave(stranger.container_id)
    before = world.rules()
    await world.service.leave(web.container_id)
    await world.service.settle()
    assert f"{held.ip_address} . tcp . 80" in before
    assert f"{held.ip_address} . tcp . 80" not in world.rules()


async def test_one_family_may_be_routed_alone(world: World, outside6: Path) -> None:
    await world.network("app", enable_ipv6=True, ipam=BOTH, options={GATEWAY_MODES[6]: "routed"})
    web = await world.run("web", ["app"], ports=ANYWHERE)
    (_, port), opened = sides(web)
    assert opened == ("::", "")
    held = web.endpoints["app"]
    async with Echo(web, "web", 80), Echo(web, "web6", 80, held.global_ipv6_address):
        assert await fetch("10.233.0.1", int(port), outside6) == "web 10.233.0.2"
        assert await fetch(held.global_ipv6_address, 80, outside6) == "web6 fd00:233::2"
        with pytest.raises(ConnectionRefusedError):
            await fetch("fd00:233::1", int(port), outside6)
        with pytest.raises(asyncio.TimeoutError):
            await fetch(held.ip_address, 80, outside6)


async def test_a_host_address_makes_no_sense_on_a_routed_network(world: World) -> None:
    await world.network("app", options={GATEWAY_MODES[4]: "routed"})
    before = world.traces()
    with pytest.raises(InvalidParameter, match=r"80/tcp on 127\.0\.0\.1: .* is routed"):
        await world.run("web", ["app"], ports={"80/tcp": [PortBinding(host_ip="127.0.0.1")]})
    await world.service.settle()
    assert world.traces() == before


async def test_an_unprotected_network_is_open(world: World, outside: Path) -> None:
    await world.network("app", options={GATEWAY_MODES[4]: "nat-unprotected"})
    web = await world.run("web", ["app"])
    address = web.endpoints["app"].ip_address
    async with Echo(web, "web", 80), Echo(outside, "outside", 8080):
        assert await fetch(address, 80, outside) == "web 10.233.0.2"
        assert await fetch("10.233.0.2", 8080, web.netns) == "outside 10.233.0.1"


async def test_an_isolated_network_is_apart_from_the_host(world: World) -> None:
    isolated = dict.fromkeys(GATEWAY_MODES.values(), "isolated")
    await world.network("app", enable_ipv6=True, internal=True, ipam=BOTH, options=isolated)
    app = world.service.resolve("app")
    assert [pool.gateway for pool in app.spec.ipam.config] == ["", ""]
    assert "inet 10." not in world.shown("ip", "-o", "address", "show", app.bridge)
    assert "fd00:" not in world.shown("ip", "-o", "address", "show", app.bridge)
    web, cli = await world.run("web", ["app"]), await world.run("cli", ["app"])
    held = web.endpoints["app"]
    async with Echo(web, "web", 80), Echo(web, "web6", 80, held.global_ipv6_address):
        assert (await fetch(held.ip_address, 80, cli.netns)).startswith("web ")
        assert (await fetch(held.global_ipv6_address, 80, cli.netns)).startswith("web6 ")
    assert "default" not in run_inside(web, "ip", "route")


async def test_the_bridge_may_be_without_ipv4_address(world: World) -> None:
    """Another machine on the bridge is the router."""
    await world.network("app", options={options.INHIBIT_IPV4: "true"})
    app = world.service.resolve("app")
    assert "inet 10." not in world.shown("ip", "-o", "address", "show", app.bridge)
    web = await world.run("web", ["app"])
    gateway = app.spec.ipam.config[0].gateway
    assert web.endpoints["app"].gateway == gateway
    assert f"default via {gateway} dev eth0" in run_inside(web, "ip", "route")


async def test_the_source_address_of_what_leaves(world: World, outside6: Path) -> None:
    name = world.shown("ip", "-o", "address", "show", "to", "10.233.0.1").split()[1]
    world.shown("ip", "address", "add", "10.233.0.9/24", "dev", name)
    world.shown("ip", "address", "add", "fd00:233::9/64", "dev", name, "nodad")
    sources = {SOURCES[4]: "10.233.0.9", SOURCES[6]: "fd00:233::9"}
    await world.network("app", enable_ipv6=True, ipam=BOTH, options=sources)
    web = await world.run("web", ["app"])
    async with Echo(outside6, "o", 8080), Echo(outside6, "o", 8080, "fd00:233::2"):
        assert await fetch("10.233.0.2", 8080, web.netns) == "o 10.233.0.9"
        assert await fetch("fd00:233::2", 8080, web.netns) == "o fd00:233::9"


async def test_without_masquerading_containers_show_themselves(
    world: World, outside6: Path
) -> None:
    await world.network("app", enable_ipv6=True, ipam=BOTH, options={options.MASQUERADE: "false"})
    web = await world.run("web", ["app"])
    held = web.endpoints["app"]
    async with Echo(outside6, "o", 8080), Echo(outside6, "o", 8080, "fd00:233::2"):
        assert await fetch("10.233.0.2", 8080, web.netns) == f"o {held.ip_address}"
        assert await fetch("fd00:233::2", 8080, web.netns) == f"o {held.global_ipv6_address}"


async def test_the_host_address_of_ports_without_one(world: World) -> None:
    await world.network("app", enable_ipv6=True, options={options.HOST_BINDING: "127.0.0.1"})
    web = await world.run("web", ["app"], ports=ANYWHERE)
    assert [address for address, _ in sides(web)] == ["127.0.0.1"]


async def test_the_mtu_is_that_of_the_containers(world: World) -> None:
    await world.network("app", options={options.MTU: "1400"})
    web = await world.run("web", ["app"])
    assert "mtu 1400" in run_inside(web, "ip", "link", "show", "eth0")
    assert "mtu 1400" in world.shown("ip", "link", "show", world.service.resolve("app").bridge)


async def test_options_that_nobody_knows_are_kept(world: World) -> None:
    unknown = {"com.docker.network.bridge.colour": "blue", "label": "x"}
    await world.network("app", options=unknown)
    assert world.service.resolve("app").spec.options == unknown


async def test_containers_of_a_network_with_ipv6_alone(world: World, outside6: Path) -> None:
    await world.network("six", enable_ipv4=False, enable_ipv6=True)
    six = world.service.resolve("six")
    (pool,) = six.spec.ipam.config
    assert ":" in pool.subnet
    web, cli = await world.run("web", ["six"], ports=ANYWHERE), await world.run("cli", ["six"])
    held = web.endpoints["six"]
    assert (held.ip_address, held.gateway, held.ip_prefix_len) == ("", "", 0)
    assert held.mac_address != cli.endpoints["six"].mac_address
    assert "inet " not in run_inside(web, "ip", "-o", "address", "show", "dev", "eth0")
    ((address, port),) = sides(web)
    assert address == "::"
    async with (
        Echo(web, "web", 80, held.global_ipv6_address),
        Echo(outside6, "o", 8080, "fd00:233::2"),
    ):
        assert (await fetch(held.global_ipv6_address, 80, cli.netns)).startswith("web ")
        assert await fetch("fd00:233::1", int(port), outside6) == "web fd00:233::2"
        assert await fetch("fd00:233::2", 8080, cli.netns) == "o fd00:233::1"
    wish = EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address="10.1.1.1"))
    with pytest.raises(InvalidParameter, match="network six has no IPv4"):
        world.service.check(six, wish)
