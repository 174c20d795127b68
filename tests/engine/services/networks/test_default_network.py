"""The default network as the daemon's settings want it."""

import dataclasses

import pytest

from davit.config import AddressPool
from davit.errors import InvalidParameter
from davit.model.config import PortBinding
from davit.model.network import Network
from davit.services.networks import options
from tests.engine.services.networks.world import Echo, World, fetch, run_inside


async def changed(world: World, **settings: object) -> Network:
    """Restart with other settings; return the default network."""
    world.settings = dataclasses.replace(world.settings, **settings)  # type: ignore[arg-type]
    await world.restart([])
    return world.service.resolve("bridge")


async def test_it_may_have_ipv6(world: World) -> None:
    network = await changed(world, ipv6=True)
    assert network.spec.enable_ipv6
    own = network.ipv6_pool
    assert own is not None
    assert own.subnet.startswith("fd")
    web, cli = await world.run("web"), await world.run("cli")
    address = web.endpoints["bridge"].global_ipv6_address
    async with Echo(web, "web", 80, address):
        assert (await fetch(address, 80, cli.netns)).startswith("web ")
    await world.restart([web.container_id, cli.container_id])
    assert world.service.resolve("bridge") == network


async def test_its_subnets_and_addresses(world: World) -> None:
    network = await changed(
        world,
        ipv6=True,
        bip="10.232.9.1/24",
        fixed_cidr="10.232.9.128/30",
        fixed_cidr_v6="fd00:231:9::/64",
    )
    assert [pool.subnet for pool in network.spec.ipam.config] == [
        "10.232.9.0/24",
        "fd00:231:9::/64",
    ]
    web = await world.run("web")
    assert web.endpoints["bridge"].addresses == ["10.232.9.128", "fd00:231:9::2"]
    await world.service.leave(web.container_id)
    network = await changed(
        world, bip="", fixed_cidr="10.232.8.0/25", bip6="fd00:231:8::9/64", fixed_cidr_v6=""
    )
    assert [pool.gateway for pool in network.spec.ipam.config] == ["10.232.8.1", "fd00:231:8::9"]


async def test_another_machine_may_be_the_router(world: World) -> None:
    await changed(
        world,
        ipv6=True,
        bip="10.232.9.1/24",
        default_gateway="10.232.9.254",
        bip6="fd00:231:9::1/64",
        default_gateway_v6="fd00:231:9::fe",
    )
    web = await world.run("web")
    held = web.endpoints["bridge"]
    assert (held.gateway, held.ipv6_gateway) == ("10.232.9.254", "fd00:231:9::fe")
    assert "default via 10.232.9.254 dev eth0" in run_inside(web, "ip", "route")
    assert "default via fd00:231:9::fe dev eth0" in run_inside(web, "ip", "-6", "route")
    shown = world.shown("ip", "-o", "address", "show", world.settings.default_bridge)
    assert "inet 10.232.9.1/24" in shown
    assert "inet6 fd00:231:9::1/64" in shown


async def test_settings_that_contradict_each_other(world: World) -> None:
    for settings, words in (
        ({"default_gateway": "10.232.9.254"}, "default-gateway 10.232.9.254: the subnet"),
        (
            {"default_gateway": "", "bip": "10.232.9.1/24", "fixed_cidr": "10.99.0.0/25"},
            "10.99.0.0/25 is not within subnet 10.232.9.0/24",
        ),
    ):
        with pytest.raises(InvalidParameter, match=words):
            await changed(world, **settings)
    await changed(world, bip="", fixed_cidr="")


async def test_where_its_ports_are_published_and_its_packets_come_from(world: World) -> None:
    network = await changed(world, ip="127.0.0.1", ip_masq=False, mtu=1400)
    assert network.spec.options[options.MTU] == "1400"
    web = await world.run("web", ports={"80/tcp": [PortBinding()]})
    assert web.ports["80/tcp"][0].host_ip == "127.0.0.1"
    assert f"{network.spec.ipam.config[0].subnet} oifname !=" not in world.rules()


async def test_pools_of_both_families(world: World) -> None:
    pools = (AddressPool("fd00:231:a::/63", 64), AddressPool("10.232.64.0/23", 24))
    await changed(world, default_address_pools=pools, bip="10.232.9.1/24")
    for name in ("one", "two"):
        await world.network(name, enable_ipv6=True)
    subnets = [pool.subnet for pool in world.service.resolve("two").spec.ipam.config]
    assert subnets == ["10.232.65.0/24", "fd00:231:a:1::/64"]
