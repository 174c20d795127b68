"""Links in a namespace of the test's own."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from davit.drivers import netlink
from davit.errors import Conflict, SystemFailure
from davit.sys import netns

MAC = "02:42:0a:01:00:01"


@pytest.fixture
def links() -> Iterator[netlink.Links]:
    namespace = netns.create()
    with netns.inside(namespace), netlink.Links() as made:
        yield made
    os.close(namespace)


def shown(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_bridge_is_up_and_keeps_its_mac_and_mtu(links: netlink.Links) -> None:
    links.add_bridge("br0", mac=MAC, mtu=1400, alias="davit test")
    links.add_address("br0", "10.1.0.1", 24)
    links.add_address("br0", "10.1.0.1", 24)  # has it already
    links.add_address("br0", "10.3.0.1", 31)
    addresses = shown("ip", "address", "show", "br0")
    assert "inet 10.1.0.1/24 brd 10.1.0.255 " in addresses
    assert "inet 10.3.0.1/31 scope" in addresses
    far = netns.create()
    links.add_veth(
        "veth0", "br0", peer="eth0", peer_namespace=far, peer_mac="02:42:00:00:00:01", mtu=900
    )
    link = shown("ip", "link", "show", "br0")
    assert MAC in link
    assert "mtu 1400" in link
    assert "UP" in link
    assert "alias davit test" in link
    os.close(far)


def test_a_name_that_is_taken_is_refused_and_kept(links: netlink.Links) -> None:
    links.add_bridge("br0", mac=MAC, mtu=1500, alias="first")
    with pytest.raises(Conflict, match="cannot create bridge br0: an interface of this name"):
        links.add_bridge("br0", mac=MAC, mtu=1500, alias="second")
    assert "alias first" in shown("ip", "link", "show", "br0")


def test_a_bridge_that_cannot_be_set_up_is_taken_back(links: netlink.Links) -> None:
    with pytest.raises(SystemFailure, match="cannot set up bridge br0"):
        links.add_bridge("br0", mac=MAC, mtu=1, alias="x")
    assert "br0" not in shown("ip", "link")


def test_a_veth_leads_from_the_bridge_into_a_namespace(links: netlink.Links) -> None:
    links.add_bridge("br0", mac=MAC, mtu=1500, alias="x")
    far = netns.create()
    links.add_veth(
        "veth0",
        "br0",
        peer="eth0",
        peer_namespace=far,
        peer_mac="02:42:00:00:00:02",
        mtu=1300,
        isolated=True,
        hairpin=True,
    )
    details = shown("ip", "-d", "link", "show", "veth0")
    assert "master br0" in details
    assert "isolated on" in details
    assert "hairpin on" in details
    with netns.inside(far), netlink.Links() as inner:
        inner.add_address("eth0", "10.1.0.2", 24)
        inner.set_up("eth0")
        inner.set_default_route("10.1.0.1")
        inner.add_address("eth0", "10.2.0.2", 24)
        inner.set_default_route("10.2.0.1")
        link = shown("ip", "link", "show", "eth0")
        assert "mtu 1300" in link
        assert "02:42:00:00:00:02" in link
        assert shown("ip", "route", "show", "default") == "default via 10.2.0.1 dev eth0 \n"
        with pytest.raises(SystemFailure, match=r"cannot route through gateway 10\.9\.9\.9"):
            inner.set_default_route("10.9.9.9")
    links.delete("veth0")
    links.delete("veth0")
    with netns.inside(far):
        assert "eth0" not in shown("ip", "link")
    os.close(far)


def test_a_veth_that_cannot_be_plugged_in_is_taken_back(links: netlink.Links) -> None:
    links.add_bridge("br0", mac=MAC, mtu=1500, alias="x")
    far = netns.create()
    for mac, mtu in (("01:00:00:00:00:00", 1500), ("02:42:00:00:00:02", 1)):
        with pytest.raises(SystemFailure, match="cannot plug eth0 into bridge br0"):
            links.add_veth("veth0", "br0", peer="eth0", peer_namespace=far, peer_mac=mac, mtu=mtu)
    assert "veth0" not in shown("ip", "link")
    os.close(far)


def test_messages_are_imported_without_the_rest_of_pyroute2() -> None:
    """What that is worth is told in ``netlink._message_classes``."""
    program = "import sys, davit.drivers.netlink as n; print('pyroute2.iproute' in sys.modules)"
    assert shown(sys.executable, "-c", program) == "False\n"
    program += "; import pyroute2; print(hasattr(pyroute2, 'IPRoute'))"
    assert shown(sys.executable, "-c", program) == "False\nTrue\n"
