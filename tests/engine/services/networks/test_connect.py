import asyncio
import socket
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from davit.drivers import netlink
from davit.errors import Conflict, Forbidden, InvalidParameter, SystemFailure
from davit.model.filters import Filters
from davit.model.network import EndpointIPAMConfig, EndpointSettings, Sandbox
from davit.services.networks import options
from tests.engine.services.networks.world import Echo, World, fetch, run_inside


def wish(address: str = "", **others: object) -> EndpointSettings:
    ipam = EndpointIPAMConfig(ipv4_address=address) if address else None
    return EndpointSettings(ipam_config=ipam, **others)  # type: ignore[arg-type]


async def test_a_container_gets_an_address_a_route_and_a_loopback(world: World) -> None:
    web = await world.run("web")
    endpoint = web.endpoints["bridge"]
    gateway = world.service.resolve("bridge").spec.ipam.config[0].gateway
    assert (endpoint.gateway, endpoint.ip_prefix_len) == (gateway, 24)
    shown = run_inside(web, "ip", "-o", "address")
    assert f"eth0    inet {endpoint.ip_address}/24" in shown
    assert "lo    inet 127.0.0.1/8" in shown
    assert endpoint.mac_address in run_inside(web, "ip", "link")
    assert f"default via {gateway} dev eth0" in run_inside(web, "ip", "route")
    async with Echo(web, "web", 80):
        assert await fetch(endpoint.ip_address, 80) == f"web {gateway}"


async def test_containers_on_a_bridge_reach_each_other(world: World) -> None:
    web, cli = await world.run("web"), await world.run("cli")
    async with Echo(web, "web", 80):
        answer = await fetch(web.endpoints["bridge"].ip_address, 80, cli.netns)
    assert answer == f"web {cli.endpoints['bridge'].ip_address}"


async def test_joins_at_the_same_time_get_different_addresses(world: World) -> None:
    joined = await asyncio.gather(*(world.run(f"c{number}") for number in range(12)))
    assert len({sandbox.endpoints["bridge"].ip_address for sandbox in joined}) == 12


async def test_leaving_leaves_nothing_and_may_be_repeated(world: World) -> None:
    await world.network("app")
    before = world.traces()
    for _ in range(2):
        web = await world.run("web", ["bridge", "app"], ports={"80/tcp": []})
        assert world.traces() != before
        await world.service.leave(web.container_id)
        await world.service.leave(web.container_id)
        await world.service.settle()
        assert world.traces() == before
        assert world.service.sandbox(web.container_id) is None


async def test_a_container_that_starts_again_gets_its_address_back(world: World) -> None:
    first = await world.run("first")
    await world.run("second")
    await world.service.leave(first.container_id)
    again = await world.run("first", container_id=first.container_id)
    assert again.endpoints["bridge"].ip_address == first.endpoints["bridge"].ip_address


async def test_an_address_cools_down_before_another_container_gets_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, unplug = asyncio.Event(), world.service._sandboxes._unplug

    async def unplug_later(sandbox: Sandbox) -> None:
        await go_on.wait()
        await unplug(sandbox)

    monkeypatch.setattr(world.service._sandboxes, "_unplug", unplug_later)
    first = await world.run("first")
    await world.service.leave(first.container_id)
    second = await world.run("second")
    assert second.endpoints["bridge"].ip_address != first.endpoints["bridge"].ip_address
    go_on.set()
    await world.service.settle()
    third = await world.run("third")
    assert third.endpoints["bridge"].ip_address == first.endpoints["bridge"].ip_address


async def test_a_namespace_that_never_joined_is_given_back(world: World) -> None:
    before = world.traces()
    path = await world.service.prepare("c1")
    assert path.exists()
    await world.service.leave("c1")
    assert world.traces() == before


@pytest.mark.parametrize(
    ("wished", "error", "words"),
    [
        ("10.9.9.9", InvalidParameter, r"10\.9\.9\.9.*app.*10\.232\.1\.0/24"),
        ("10.232.1.255", InvalidParameter, "not a host address"),
        ("10.232.1.1", Conflict, "Address already in use: 10.232.1.1 on network app"),
        ("10.232.1.7", Conflict, "Address already in use: 10.232.1.7 on network app"),
    ],
)
async def test_a_refused_address_leaves_nothing(
    world: World, wished: str, error: type[Exception], words: str
) -> None:
    await world.network("app", ipam=world.subnet("10.232.1.0/24"))
    await world.run("first", {"app": wish("10.232.1.7")})
    before = world.traces()
    with pytest.raises(error, match=words):
        await world.run("second", {"bridge": wish(), "app": wish(wished)})
    await world.service.settle()
    assert world.traces() == before


@pytest.mark.parametrize(
    ("network", "asked", "error", "words"),
    [
        ("bridge", wish("10.231.0.9"), InvalidParameter, "on user defined networks only"),
        ("app", wish("10.9.9.9"), InvalidParameter, r"not a host address of network app"),
        ("app", wish("nonsense"), InvalidParameter, "'nonsense'"),
        ("app", wish(mac_address="nonsense"), InvalidParameter, "invalid MAC address"),
        (
            "app",
            EndpointSettings(ipam_config=EndpointIPAMConfig(ipv6_address="fd00::9")),
            InvalidParameter,
            "network app has no IPv6",
        ),
        (
            "app",
            EndpointSettings(ipam_config=EndpointIPAMConfig(link_local_ips=["10.9.9.9"])),
            InvalidParameter,
            "link-local",
        ),
    ],
)
async def test_what_can_never_be_is_refused_at_creation(
    world: World, network: str, asked: EndpointSettings, error: type[Exception], words: str
) -> None:
    await world.network("app")
    app = world.service.resolve("app")
    world.service.check(app, wish(str(app.spec.ipam.config[0].gateway)[:-1] + "9"))
    with pytest.raises(error, match=words):
        world.service.check(world.service.resolve(network), asked)


async def test_a_join_that_fails_half_way_undoes_itself(world: World) -> None:
    await world.network("app")
    world.break_bridge("app")
    _, ports, *others = world.traces()
    with pytest.raises(SystemFailure, match="cannot plug eth1 into bridge"):
        await world.run("web", {"bridge": wish(), "app": wish()}, ports={"80/tcp": []})
    await world.service.settle()
    # The bridge itself may have been made anew meanwhile.
    _, ports_now, *others_now = world.traces()
    assert [names for names in ports_now if names] == [names for names in ports if names]
    assert others_now == others


async def test_a_cancelled_join_undoes_itself(world: World) -> None:
    await world.network("app")
    before = world.traces()
    for delay in (0, 0.001, 0.003, 0.01):
        task = asyncio.create_task(world.run("web", ["bridge", "app"], ports={"80/tcp": []}))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await world.service.settle()
        assert world.traces() == before


async def test_several_networks(world: World) -> None:
    await world.network("a")
    await world.network("b")
    web = await world.run("web", {"b": wish(), "a": wish()})
    assert f"default via {web.endpoints['a'].gateway} dev eth1" in run_inside(web, "ip", "route")
    other = await world.run("other", {"b": wish(gw_priority=1), "a": wish()})
    assert f"default via {web.endpoints['b'].gateway} " in run_inside(other, "ip", "route")


async def test_connect_and_disconnect_a_running_container(world: World) -> None:
    await world.network("a")
    web = await world.run("web")
    network = world.service.resolve("a")
    before = world.traces()
    endpoint = await world.service.connect(web.container_id, network, wish(aliases=["www"]))
    assert f"eth1    inet {endpoint.ip_address}/24" in run_inside(web, "ip", "-o", "address")
    assert f"default via {endpoint.gateway} dev eth1" in run_inside(web, "ip", "route")
    assert "www" in endpoint.dns_names
    with pytest.raises(Forbidden, match="web already exists in network a"):
        await world.service.connect(web.container_id, network, wish())
    await world.service.disconnect(web.container_id, network)
    assert "eth1" not in run_inside(web, "ip", "link")
    assert "dev eth0" in run_inside(web, "ip", "route", "show", "default")
    assert world.traces() == before
    with pytest.raises(Forbidden, match="web is not connected to network a"):
        await world.service.disconnect(web.container_id, network)


async def test_a_refused_connect_leaves_nothing(world: World) -> None:
    await world.network("a")
    web = await world.run("web", ports={"80/tcp": []})
    world.break_bridge("a")
    before = world.traces()
    for mac in ("01:00:5e:00:00:01", "nonsense"):
        with pytest.raises(InvalidParameter, match=f"invalid MAC address '{mac}'"):
            await world.service.connect(
                web.container_id, world.service.resolve("a"), wish(mac_address=mac)
            )
    with pytest.raises(SystemFailure, match="cannot plug"):
        await world.service.connect(web.container_id, world.service.resolve("a"), wish())
    assert world.traces() == before
    assert world.service.sandbox(web.container_id) == web


async def test_an_internal_network_has_no_way_out(world: World) -> None:
    await world.network("dark", internal=True)
    web = await world.run("web", ["dark"], ports={"80/tcp": []})
    assert web.ports == {}
    assert run_inside(web, "ip", "route", "show", "default") == ""
    cli = await world.run("cli", ["dark"])
    async with Echo(web, "web", 80):
        assert await fetch(web.endpoints["dark"].ip_address, 80, cli.netns)


async def test_networks_are_isolated_from_each_other(world: World) -> None:
    await world.network("a")
    web, cli = await world.run("web", ["a"]), await world.run("cli", ["bridge"])
    async with Echo(web, "web", 80):
        with pytest.raises(asyncio.TimeoutError):
            await fetch(web.endpoints["a"].ip_address, 80, cli.netns)


async def test_containers_may_be_kept_from_each_other(world: World) -> None:
    await world.network("apart", options={options.ICC: "false"})
    web, cli = await world.run("web", ["apart"]), await world.run("cli", ["apart"])
    async with Echo(web, "web", 80):
        assert await fetch(web.endpoints["apart"].ip_address, 80)
        with pytest.raises((asyncio.TimeoutError, OSError)):
            await fetch(web.endpoints["apart"].ip_address, 80, cli.netns)


async def test_the_mtu_is_that_of_the_network(world: World) -> None:
    await world.network("small", options={options.MTU: "1400"})
    web = await world.run("web", ["small"])
    assert "mtu 1400" in run_inside(web, "ip", "link", "show", "eth0")


async def test_no_network_but_the_loopback(world: World) -> None:
    web = await world.run("web", ["none"])
    assert web.endpoints["none"].ip_address == ""
    shown = run_inside(web, "ip", "-o", "link")
    assert "lo:" in shown
    assert "eth0" not in shown


async def test_a_restart_keeps_the_living_and_sweeps_the_dead(world: World) -> None:
    await world.network("app")
    living = await world.run("living", ["app"], ports={"80/tcp": []})
    await world.run("dead", ["app"])
    orphan = await world.service.prepare("orphan")
    await world.restart([living.container_id])
    assert world.service.sandbox(living.container_id) == living
    assert not orphan.exists()
    app = world.service.resolve("app")
    assert [member.name for member in world.service.members(app)] == ["living"]
    assert len(netlink.ports(app.bridge)) == 1
    async with Echo(living, "living", 80):
        assert await fetch("127.0.0.1", int(living.ports["80/tcp"][0].host_port))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("0.0.0.0", int(living.ports["80/tcp"][0].host_port)))


async def test_a_reboot_brings_the_bridges_back(world: World) -> None:
    await world.network("app")
    app = world.service.resolve("app")
    await world.run("web", ["app"])
    await world.service.close()
    with netlink.Links() as links:
        links.delete(app.bridge)
    await world.restart([])
    assert netlink.exists(app.bridge)
    assert Path(f"/proc/sys/net/ipv4/conf/{app.bridge}/route_localnet").read_text() == "1\n"
    web = await world.run("web", ["app"])
    async with Echo(web, "web", 80):
        assert await fetch(web.endpoints["app"].ip_address, 80)


async def test_nothing_blocks_the_event_loop(world: World, blockbuster: BlockBuster) -> None:
    await world.network("app")
    await world.network("more")
    more = world.service.resolve("more")
    web = await world.run("web", ["bridge", "app"], ports={"80/tcp": []})
    await world.service.connect(web.container_id, more, wish())
    await world.service.disconnect(web.container_id, more)
    await world.restart([web.container_id])
    await world.service.leave(web.container_id)
    await world.service.remove("app")
    await world.service.prune(Filters())
