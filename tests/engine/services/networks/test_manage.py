import asyncio
import dataclasses

import pytest

from davit.drivers import netlink
from davit.errors import Conflict, Forbidden, InvalidParameter, NotFound, NotSupported
from davit.model.filters import Filters
from davit.model.network import IPAM, IPAMPool, NetworkSpec
from davit.services.networks import options
from tests.engine.services.networks.world import World


def pool(subnet: str, **others: object) -> IPAM:
    return IPAM(config=[IPAMPool(subnet=subnet, **others)])  # type: ignore[arg-type]


def names(world: World, **filters: list[str]) -> list[str]:
    return sorted(network.name for network in world.service.select(Filters(filters)))


async def test_the_predefined_networks(world: World) -> None:
    assert names(world) == ["bridge", "host", "none"]
    bridge = world.service.resolve("bridge")
    assert bridge.bridge == world.settings.default_bridge
    assert bridge.spec.ipam.config[0].subnet.startswith("10.231.")
    for name in ("bridge", "host", "none"):
        with pytest.raises(Forbidden, match=f"{name} is a pre-defined network and cannot be"):
            await world.service.remove(name)


async def test_create_and_remove(world: World) -> None:
    before = world.traces()
    spec = NetworkSpec(name="app", labels={"a": "b"}, ipam=pool("10.232.7.0/24"))
    made = await world.service.create(spec)
    assert made.bridge == f"br-{made.id[:12]}"
    assert made.spec.ipam.config[0].gateway == "10.232.7.1"
    assert made.spec.driver == "bridge"
    assert "inet 10.232.7.1/24" in world.shown("ip", "-o", "address", "show", made.bridge)
    assert world.service.resolve(made.id[:10]) == made
    await world.service.remove("app")
    assert world.traces() == before
    assert world.events.seen == [("network", "create", "app"), ("network", "destroy", "app")]
    with pytest.raises(NotFound, match="network app not found"):
        world.service.resolve("app")


async def test_a_network_may_say_everything(world: World) -> None:
    ipam = pool(
        "10.232.7.0/24",
        gateway="10.232.7.9",
        ip_range="10.232.7.64/30",
        auxiliary_addresses={"printer": "10.232.7.65"},
    )
    chosen = {options.NAME: "davittest0"}
    made = await world.service.create(NetworkSpec(name="app", ipam=ipam, options=chosen))
    assert made.bridge == "davittest0"
    found = [(await world.run(f"c{i}", ["app"])).endpoints["app"] for i in range(3)]
    assert [held.ip_address for held in found] == ["10.232.7.64", "10.232.7.66", "10.232.7.67"]
    assert found[0].gateway == "10.232.7.9"
    with pytest.raises(Conflict, match="no available IPv4 addresses on network app"):
        await world.run("c3", ["app"])


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (NetworkSpec(name="first"), Conflict, "network with name first already exists"),
        (NetworkSpec(name=""), InvalidParameter, "invalid network name"),
        (NetworkSpec(name="a/b"), InvalidParameter, "invalid network name 'a/b'"),
        (NetworkSpec(name="x", driver="overlay"), NotSupported, '"overlay" is not supported'),
        (NetworkSpec(name="x", driver="host"), Forbidden, "only one instance"),
        (NetworkSpec(name="x", enable_ipv4=False), InvalidParameter, "IPv4 or IPv6 must be"),
        (
            NetworkSpec(name="x", enable_ipv4=False, enable_ipv6=True, ipam=pool("10.232.2.0/24")),
            InvalidParameter,
            r"network x: IPv4 subnet 10\.232\.2\.0/24 without IPv4",
        ),
        (
            NetworkSpec(
                name="x",
                ipam=IPAM(
                    config=[IPAMPool(subnet="10.232.2.0/24"), IPAMPool(subnet="10.232.3.0/24")]
                ),
            ),
            Forbidden,
            "network x: bridge driver doesn't support multiple subnets: give one IPv4",
        ),
        (
            NetworkSpec(name="x", options={options.GATEWAY_MODES[6]: "open"}),
            InvalidParameter,
            "network x: unknown gateway mode com.docker.network.bridge.gateway_mode_ipv6='open': "
            "one of nat, nat-unprotected, routed, isolated is needed",
        ),
        (
            NetworkSpec(name="x", options={options.GATEWAY_MODES[4]: "isolated"}),
            InvalidParameter,
            "gateway mode 'isolated' can only be used for an internal network",
        ),
        (
            NetworkSpec(name="x", options={options.SOURCES[4]: "fd00::1"}),
            InvalidParameter,
            "network x: invalid com.docker.network.host_ipv4='fd00::1': an IPv4 address",
        ),
        (
            NetworkSpec(
                name="x", options={"com.docker.network.bridge.trusted_host_interfaces": "eth0"}
            ),
            NotSupported,
            "network x: network option .*trusted_host_interfaces is not supported",
        ),
        (NetworkSpec(name="x", ipam=pool("fd00::/127")), InvalidParameter, "fd00::/127"),
        (NetworkSpec(name="x", ipam=pool("10.232")), InvalidParameter, "invalid subnet '10.232'"),
        (
            NetworkSpec(name="x", ipam=pool("10.232.1.128/25")),
            Forbidden,
            r"Pool overlaps with other one on this address space: 10\.232\.1\.128/25 overlaps "
            r"network first \(10\.232\.1\.0/24\)",
        ),
        (
            NetworkSpec(name="x", ipam=pool("127.0.0.0/30", gateway="10.0.0.1")),
            InvalidParameter,
            r"gateway 10\.0\.0\.1: it is not a host address of 127\.0\.0\.0/30",
        ),
        (
            NetworkSpec(name="x", ipam=pool("10.232.2.0/24", ip_range="10.232.3.0/24")),
            InvalidParameter,
            "is not within subnet",
        ),
        (
            NetworkSpec(name="x", ipam=IPAM(config=[IPAMPool(gateway="10.232.2.1")])),
            InvalidParameter,
            "without a subnet",
        ),
        (NetworkSpec(name="x", ipam=IPAM(driver="dhcp")), NotSupported, "'dhcp'"),
        (NetworkSpec(name="x", options={options.NAME: "lo"}), Conflict, "cannot create bridge lo"),
        (
            NetworkSpec(name="x", options={options.NAME: 'a" drop "'}),
            InvalidParameter,
            "letters, digits",
        ),
        (NetworkSpec(name="x", options={options.MTU: "12"}), InvalidParameter, "mtu='12'"),
        (
            NetworkSpec(name="x", enable_ipv6=True, options={options.MTU: "1279"}),
            InvalidParameter,
            "network x: invalid com.docker.network.driver.mtu=1279: IPv6 needs at least 1280",
        ),
        (NetworkSpec(name="x", options={options.ICC: "maybe"}), InvalidParameter, "'maybe'"),
    ],
)
async def test_a_refused_network_leaves_nothing(
    world: World, spec: NetworkSpec, error: type[Exception], words: str
) -> None:
    await world.network("first", ipam=pool("10.232.1.0/24"))
    before = world.traces(), names(world)
    with pytest.raises(error, match=words):
        await world.service.create(spec)
    assert (world.traces(), names(world)) == before
    assert netlink.exists("lo")


async def test_a_subnet_of_the_hosts_own_is_refused(world: World, outside: object) -> None:
    with pytest.raises(Forbidden, match=r"overlaps the host's route to 10\.233\.0\.0/24 through"):
        await world.service.create(NetworkSpec(name="x", ipam=pool("10.233.0.0/16")))


async def test_two_at_once_get_different_subnets(world: World) -> None:
    made = await asyncio.gather(
        *(world.service.create(NetworkSpec(name=f"n{number}")) for number in range(4))
    )
    assert len({network.spec.ipam.config[0].subnet for network in made}) == 4


async def test_one_of_two_with_the_same_name_is_refused(world: World) -> None:
    results = await asyncio.gather(
        *(world.service.create(NetworkSpec(name="same")) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 2


async def test_a_network_in_use_stays(world: World) -> None:
    await world.network("app")
    web = await world.run("web", ["app"])
    app = world.service.resolve("app")
    with pytest.raises(
        Forbidden, match=f"network app id {app.id} has active endpoints: web; disconnect"
    ):
        await world.service.remove("app")
    await world.service.leave(web.container_id)
    await world.service.remove("app")


async def test_filters(world: World) -> None:
    await world.network("app", labels={"team": "a"})
    await world.network("dark", internal=True)
    await world.run("web", ["app"])
    assert names(world, type=["custom"]) == ["app", "dark"]
    assert names(world, type=["builtin"]) == ["bridge", "host", "none"]
    assert names(world, name=["ar"]) == ["dark"]
    assert names(world, driver=["null"]) == ["none"]
    assert names(world, label=["team=a"]) == ["app"]
    assert names(world, dangling=["true"]) == ["dark"]
    assert names(world, id=[world.service.resolve("app").id[:12]]) == ["app"]
    with pytest.raises(InvalidParameter, match="type=x"):
        names(world, type=["x"])


async def test_prune(world: World) -> None:
    await world.network("used")
    await world.network("kept", labels={"keep": ""})
    await world.network("gone")
    await world.run("web", ["used"])
    assert await world.service.prune(Filters({"until": ["1h"]})) == []
    assert await world.service.prune(Filters({"label!": ["keep"]})) == ["gone"]
    assert names(world, type=["custom"]) == ["kept", "used"]


async def test_networks_survive_a_restart(world: World) -> None:
    await world.network("app")
    before = world.service.select(Filters()), world.traces()
    await world.restart([])
    assert (world.service.select(Filters()), world.traces()) == before


async def test_the_default_network_follows_the_settings(world: World) -> None:
    web = await world.run("web")
    before = world.service.resolve("bridge")
    world.settings = dataclasses.replace(world.settings, bip="10.232.9.1/24")
    await world.restart([web.container_id])
    assert world.service.resolve("bridge") == before  # not under a running container
    await world.service.leave(web.container_id)
    await world.restart([])
    after = world.service.resolve("bridge")
    assert (after.id, after.spec.ipam.config[0].subnet) == (before.id, "10.232.9.0/24")
    assert (await world.run("web")).endpoints["bridge"].gateway == "10.232.9.1"
    world.settings = dataclasses.replace(world.settings, bridge="none")
    await world.restart([])
    assert names(world) == ["host", "none"]
