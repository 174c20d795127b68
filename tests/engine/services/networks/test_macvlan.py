"""Networks of the driver macvlan, on a parent that is a veth pair's end."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from davit.drivers import netlink
from davit.errors import InvalidParameter, NotFound, NotSupported
from davit.model import ids
from davit.model.filters import Filters
from davit.model.network import IPAM, EndpointSettings, IPAMPool, NetworkSpec, Sandbox
from davit.services.networks import options
from davit.sys import netns
from tests.engine.services.networks.world import Echo, World, fetch, run_inside


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An interface of the host's, and another machine, 10.234.0.9, at the far end of its cable."""
    pin = tmp_path / "lan"
    namespace = netns.create()
    netns.pin(namespace, pin)
    name = f"lan{ids.new_id()[:8]}"
    for command in (
        f"ip link add {name} type veth peer name eth0 netns {pin}",
        f"ip address add 10.234.0.1/24 dev {name}",
        f"ip link set {name} up",
        f"nsenter --net={pin} ip address add 10.234.0.9/24 dev eth0",
        f"nsenter --net={pin} ip link set eth0 up",
    ):
        subprocess.run(command.split(), check=True)
    yield name, pin
    subprocess.run(["ip", "link", "delete", name], check=True)
    netns.unpin(pin)
    os.close(namespace)


def macvlan(parent: str = "", **chosen: str) -> dict[str, object]:
    pool = IPAMPool(subnet="10.234.0.0/24", ip_range="10.234.0.64/26")
    wanted = {"parent": parent, **chosen} if parent else dict(chosen)
    return {"driver": "macvlan", "options": wanted, "ipam": IPAM(config=[pool])}


def address(sandbox: Sandbox, network: str = "lan") -> str:
    return sandbox.endpoints[network].ip_address


async def test_containers_are_machines_of_the_parents_network(
    world: World, lan: tuple[str, Path]
) -> None:
    parent, machine = lan
    await world.network("lan", **macvlan(parent))
    one, two = await world.run("one", ["lan"]), await world.run("two", ["lan"])
    assert (address(one), address(two)) == ("10.234.0.64", "10.234.0.65")
    async with Echo(one, "one", 80), Echo(machine, "machine", 81):
        assert await fetch(address(one), 80, machine) == "one 10.234.0.9"
        assert await fetch(address(one), 80, two.netns) == "one 10.234.0.65"
        assert await fetch("10.234.0.9", 81, one.netns) == "machine 10.234.0.64"
    assert "default via 10.234.0.1" in run_inside(one, "ip", "route")


async def test_an_address_comes_back_at_once(world: World, lan: tuple[str, Path]) -> None:
    """Two interfaces of a parent cannot have the same MAC address."""
    await world.network("lan", **macvlan(lan[0]))
    for _ in range(5):
        one = await world.run("one", ["lan"], container_id="a" * 64)
        assert address(one) == "10.234.0.64"
        await world.service.leave(one.container_id)


async def test_connect_and_disconnect(world: World, lan: tuple[str, Path]) -> None:
    await world.network("lan", **macvlan(lan[0]))
    web, network = await world.run("web"), world.service.resolve("lan")
    before = run_inside(web, "ip", "-o", "address")
    for _ in range(2):
        joined = await world.service.connect(web.container_id, network, EndpointSettings())
        async with Echo(web, "web", 80):
            assert await fetch(joined.ip_address, 80, lan[1]) == "web 10.234.0.9"
        await world.service.disconnect(web.container_id, network)
        assert run_inside(web, "ip", "-o", "address") == before


async def test_private_ones_do_not_see_each_other(world: World, lan: tuple[str, Path]) -> None:
    await world.network("lan", **macvlan(lan[0], macvlan_mode="private"))
    one, two = await world.run("one", ["lan"]), await world.run("two", ["lan"])
    async with Echo(one, "one", 80):
        assert await fetch(address(one), 80, lan[1])
        with pytest.raises((OSError, TimeoutError)):
            await fetch(address(one), 80, two.netns)


async def test_without_a_parent_it_leads_nowhere(world: World) -> None:
    before = set(os.listdir("/sys/class/net"))
    await world.network("lan", **macvlan())
    parent = f"dm-{world.service.resolve('lan').id[:12]}"
    one, two = await world.run("one", ["lan"]), await world.run("two", ["lan"])
    async with Echo(one, "one", 80):
        assert await fetch(address(one), 80, two.netns) == "one 10.234.0.65"
    await world.restart([one.container_id, two.container_id])
    assert netlink.exists(parent)
    for sandbox in (one, two):
        await world.service.leave(sandbox.container_id)
    await world.service.remove("lan")
    assert not netlink.exists(parent)
    assert not {name for name in set(os.listdir("/sys/class/net")) - before if name[:3] == "dp-"}


async def test_a_vlan_of_a_parent(world: World, lan: tuple[str, Path]) -> None:
    """Made with the first network on it and removed with the last, where the kernel has VLANs."""
    parent, refusal = f"{lan[0]}.10", ""
    try:
        await world.network("lan", **macvlan(parent))
    except NotSupported as error:
        refusal = error.message
    made = [row.name for row in world.service.select(Filters()) if not row.is_predefined]
    if refusal:
        assert "its module 8021q" in refusal
        assert made == []
    else:
        assert netlink.exists(parent)
        await world.service.remove("lan")
    assert not netlink.exists(parent)
    assert netlink.exists(lan[0])


@pytest.mark.parametrize(
    ("chosen", "error", "words"),
    [
        ({"parent": "nowhere9"}, NotFound, "parent=nowhere9: the host has no interface"),
        ({"parent": "lo.5000"}, NotFound, "parent=lo.5000"),
        ({"parent": "a/b"}, InvalidParameter, "parent='a/b'"),
        ({"macvlan_mode": "loud"}, InvalidParameter, "mode 'loud' is not valid"),
        ({"ipvlan_mode": "l3"}, InvalidParameter, "option ipvlan_mode"),
        ({options.MTU: "1"}, InvalidParameter, "mtu='1'"),
    ],
)
async def test_bad_options_are_refused(
    world: World, chosen: dict[str, str], error: type[Exception], words: str
) -> None:
    before = world.traces(), set(os.listdir("/sys/class/net"))
    with pytest.raises(error, match=words):
        await world.service.create(NetworkSpec(name="x", driver="macvlan", options=chosen))
    assert world.traces() == before[0]
    assert not [
        name for name in set(os.listdir("/sys/class/net")) - before[1] if name[:3] in ("dm-", "dp-")
    ]


async def test_interfaces_have_the_names_that_were_asked_for(world: World) -> None:
    await world.network("app", options={options.PREFIX: "lan"})
    named = EndpointSettings(driver_opts={options.IFNAME: "wan0"})
    web = await world.run("web", {"app": EndpointSettings(), "bridge": named})
    shown = run_inside(web, "ip", "-o", "address")
    assert f"lan0    inet {address(web, 'app')}/" in shown
    assert f"wan0    inet {address(web, 'bridge')}/" in shown


def test_bad_interface_names_are_refused(world: World) -> None:
    bad = EndpointSettings(driver_opts={options.IFNAME: "a/b"})
    with pytest.raises(InvalidParameter, match=r"endpoint\.ifname='a/b'"):
        world.service.check(world.service.resolve("bridge"), bad)
    with pytest.raises(InvalidParameter, match="up to 12 characters"):
        options.parse({options.PREFIX: "abcdefghijklm"})


async def test_without_addresses(world: World, lan: tuple[str, Path]) -> None:
    """Something in the container asks for one."""
    null = IPAM(driver="null")
    await world.network("lan", driver="macvlan", options={"parent": lan[0]}, ipam=null)
    assert world.service.resolve("lan").spec.ipam == null
    web, other = await world.run("web", ["lan"]), await world.run("other", ["lan"])
    assert web.endpoints["lan"].addresses == []
    assert web.endpoints["lan"].mac_address != other.endpoints["lan"].mac_address
    assert "LOWER_UP" in run_inside(web, "ip", "link", "show", "eth0")
    for family in ("-4", "-6"):
        assert run_inside(web, "ip", family, "-o", "address", "show", "dev", "eth0") == ""
    run_inside(web, "ip", "address", "add", "10.234.0.77/24", "dev", "eth0")
    async with Echo(lan[1], "machine", 81):
        assert await fetch("10.234.0.9", 81, web.netns) == "machine 10.234.0.77"
    await world.restart([web.container_id, other.container_id])
    await world.network("another", **macvlan())
    with pytest.raises(InvalidParameter, match="network x: IPAM driver 'null' gives no addresses"):
        await world.network("x", ipam=null)
    given = IPAM(driver="null", config=[IPAMPool(subnet="10.234.0.0/24")])
    with pytest.raises(InvalidParameter, match="network x: null ipam driver does not handle"):
        await world.network("x", driver="macvlan", ipam=given)
