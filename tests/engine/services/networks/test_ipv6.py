from ipaddress import IPv6Address, IPv6Network

import pytest

from davit.config import AddressPool
from davit.errors import Conflict, Forbidden, InvalidParameter
from davit.model.network import IPAM, EndpointIPAMConfig, EndpointSettings, IPAMPool
from davit.services.networks import ipv6
from tests.engine.services.networks.world import Echo, World, fetch, run_inside

BOTH = IPAM(config=[IPAMPool(subnet="fd00:231:1::/64"), IPAMPool(subnet="10.232.1.0/24")])
TINY = AddressPool("fd00:1::/63", 64)


def wish6(address: str) -> EndpointSettings:
    return EndpointSettings(ipam_config=EndpointIPAMConfig(ipv6_address=address))


def test_the_default_pool_is_unique_local_and_the_instances_own() -> None:
    pool = ipv6.default_pool("0badcafe")
    assert IPv6Network(pool.base).subnet_of(IPv6Network("fd00::/8"))
    assert (IPv6Network(pool.base).prefixlen, pool.size) == (48, 64)
    assert pool == ipv6.default_pool("0badcafe") != ipv6.default_pool("deadbeef")


def test_free_subnets_are_given_until_there_are_none() -> None:
    first, second = IPv6Network("fd00:1::/64"), IPv6Network("fd00:1:0:1::/64")
    assert ipv6.resolve([], [TINY], {}, {}).subnet == str(first)
    assert ipv6.resolve([], [TINY], {}, {"a": first}).gateway == "fd00:1:0:1::1"
    with pytest.raises(Conflict, match="fully subnetted"):
        ipv6.resolve([], [TINY], {"a": first}, {"b": second})


@pytest.mark.parametrize(
    ("wished", "error", "words"),
    [
        (IPAMPool(subnet="fd00:5::/80"), Forbidden, "overlaps network a"),
        (IPAMPool(subnet="fd00::/127"), InvalidParameter, "up to /126"),
        (IPAMPool(subnet="fd00::1"), InvalidParameter, "prefix length"),
        (IPAMPool(subnet="fe80::/64"), InvalidParameter, "link-local"),
        (IPAMPool(subnet="fd00::/64", gateway="fd01::1"), InvalidParameter, "gateway fd01::1"),
        (IPAMPool(subnet="fd00::/64", gateway="fd00::"), InvalidParameter, "host address"),
        (IPAMPool(subnet="fd00::/64", ip_range="fd01::/80"), InvalidParameter, "not within"),
        (
            IPAMPool(subnet="fd00::/64", auxiliary_addresses={"nas": "10.0.0.1"}),
            InvalidParameter,
            "auxiliary address nas",
        ),
    ],
)
def test_pools_that_are_refused(wished: IPAMPool, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ipv6.resolve([wished], [TINY], {"network a": IPv6Network("fd00:5::/64")}, {})


def test_addresses_are_given_from_the_range_until_there_are_none() -> None:
    asked = IPAMPool(
        subnet="fd00:7::/64", ip_range="fd00:7::/126", auxiliary_addresses={"nas": "fd00:7::2"}
    )
    pool = ipv6.resolve([asked], [TINY], {}, {})
    assert ipv6.allocate(pool, (), "", "app") == "fd00:7::3"
    with pytest.raises(Conflict, match="no available IPv6 addresses on network app"):
        ipv6.allocate(pool, {"fd00:7::3"}, "", "app")
    assert ipv6.allocate(pool, (), "fd00:7:0::00ff", "app") == "fd00:7::ff"
    with pytest.raises(Conflict, match="already in use"):
        ipv6.allocate(pool, {"fd00:7::ff"}, "fd00:7:0::00ff", "app")


async def test_containers_reach_each_other_over_both_families(world: World) -> None:
    await world.network("app", enable_ipv6=True, ipam=BOTH)
    subnets = [pool.subnet for pool in world.service.resolve("app").spec.ipam.config]
    assert subnets == ["10.232.1.0/24", "fd00:231:1::/64"]
    web = await world.run("web", {"app": wish6("fd00:231:1::80")})
    cli = await world.run("cli", ["app"])
    held, own = web.endpoints["app"], cli.endpoints["app"]
    assert (held.global_ipv6_address, held.global_ipv6_prefix_len) == ("fd00:231:1::80", 64)
    assert held.ipv6_gateway == "fd00:231:1::1"
    assert "default via fd00:231:1::1 dev eth0" in run_inside(web, "ip", "-6", "route")
    assert "tentative" not in run_inside(web, "ip", "-6", "address")
    async with Echo(web, "web", 80), Echo(web, "web6", 80, held.global_ipv6_address):
        assert await fetch(held.ip_address, 80, cli.netns) == f"web {own.ip_address}"
        answer = await fetch(held.global_ipv6_address, 80, cli.netns)
        assert answer == f"web6 {own.global_ipv6_address}"
        # from the host
        assert await fetch(held.global_ipv6_address, 80) == "web6 fd00:231:1::1"


async def test_other_bridges_do_not_get_in_over_ipv6(world: World) -> None:
    await world.network("one", enable_ipv6=True)
    await world.network("two", enable_ipv6=True)
    web, stranger = await world.run("web", ["one"]), await world.run("stranger", ["two"])
    address = web.endpoints["one"].global_ipv6_address
    assert IPv6Address(address).is_private
    async with Echo(web, "web", 80, address):
        assert await fetch(address, 80) != ""
        with pytest.raises(TimeoutError):
            await fetch(address, 80, stranger.netns)


async def test_without_icc_containers_are_apart_over_ipv6(world: World) -> None:
    apart = {"com.docker.network.bridge.enable_icc": "false"}
    await world.network("app", enable_ipv6=True, options=apart)
    web, cli = await world.run("web", ["app"]), await world.run("cli", ["app"])
    address = web.endpoints["app"].global_ipv6_address
    async with Echo(web, "web", 80, address):
        assert await fetch(address, 80) != ""
        with pytest.raises((TimeoutError, OSError)):
            await fetch(address, 80, cli.netns)


async def test_an_internal_network_has_no_way_out_over_ipv6(world: World) -> None:
    await world.network("inner", enable_ipv6=True, internal=True)
    web = await world.run("web", ["inner"])
    assert web.endpoints["inner"].ipv6_gateway == ""
    assert "default" not in run_inside(web, "ip", "-6", "route")


async def test_networks_without_ipv6_stay_without(world: World) -> None:
    web = await world.run("web")
    assert run_inside(web, "ip", "-6", "-o", "address", "show", "dev", "eth0") == ""


async def test_the_ipv6_route_follows_connect_and_disconnect(world: World) -> None:
    await world.network("app", enable_ipv6=True)
    app = world.service.resolve("app")
    web = await world.run("web")
    held = await world.service.connect(web.container_id, app, EndpointSettings())
    default = f"default via {held.ipv6_gateway} dev eth1"
    assert default in run_inside(web, "ip", "-6", "route")
    await world.service.disconnect(web.container_id, app)
    assert "default" not in run_inside(web, "ip", "-6", "route")


async def test_an_address_is_free_again_when_its_container_has_left(world: World) -> None:
    await world.network("app", enable_ipv6=True, ipam=BOTH)
    web = await world.run("web", {"app": wish6("fd00:231:1::80")})
    with pytest.raises(Conflict, match="Address already in use: fd00:231:1::80"):
        await world.run("second", {"app": wish6("fd00:231:1::80")})
    await world.service.leave(web.container_id)
    await world.service.settle()
    again = await world.run("third", {"app": wish6("fd00:231:1::80")})
    assert again.endpoints["app"].addresses[1] == "fd00:231:1::80"


async def test_a_subnet_without_ipv6_is_shown_and_not_used(world: World) -> None:
    await world.network("app", ipam=BOTH)
    app = world.service.resolve("app")
    assert [pool.subnet for pool in app.spec.ipam.config] == ["10.232.1.0/24", "fd00:231:1::/64"]
    wished = wish6("fd00:231:1::80")
    world.service.check(app, wished)
    web = await world.run("web", {"app": wished})
    assert web.endpoints["app"].global_ipv6_address == ""
    assert run_inside(web, "ip", "-6", "-o", "address", "show", "dev", "eth0") == ""
    with pytest.raises(InvalidParameter, match="fd01::1: it is not a host address"):
        world.service.check(app, wish6("fd01::1"))


async def test_link_local_addresses_besides(world: World) -> None:
    config = EndpointIPAMConfig(link_local_ips=["169.254.8.8", "fe80::8"])
    wished = EndpointSettings(ipam_config=config)
    world.service.check(world.service.resolve("bridge"), wished)
    web, cli = await world.run("web", {"bridge": wished}), await world.run("cli")
    shown = run_inside(web, "ip", "-o", "address", "show", "dev", "eth0")
    assert f"inet {web.endpoints['bridge'].ip_address}/" in shown
    assert "inet 169.254.8.8/16" in shown
    assert "inet6 fe80::8/64" in shown
    assert "169.254" not in run_inside(cli, "ip", "-o", "address")


async def test_a_subnet_of_the_hosts_own_is_refused(world: World, outside: object) -> None:
    shown = world.shown("ip", "-o", "address", "show", "to", "10.233.0.1")
    world.shown("ip", "address", "add", "fd00:233::1/64", "dev", shown.split()[1], "nodad")
    with pytest.raises(Forbidden, match=r"overlaps the host's route to fd00:233::/64 through"):
        await world.network(
            "app", enable_ipv6=True, ipam=IPAM(config=[IPAMPool(subnet="fd00:233::/80")])
        )
