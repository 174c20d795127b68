from ipaddress import IPv4Network

import pytest

from davit.config import AddressPool
from davit.errors import Conflict
from davit.model.network import IPAM, EndpointSettings, IPAMPool
from davit.services.networks import ipam

POOLS = (AddressPool("10.1.0.0/23", 24), AddressPool("10.9.0.0/24", 24))


def subnet(*used: str) -> str:
    named = {text: IPv4Network(text) for text in used}
    return ipam.resolve(IPAM(), POOLS, named, {}).config[0].subnet


def test_the_first_free_subnet_of_the_pools() -> None:
    assert subnet() == "10.1.0.0/24"
    assert subnet("10.1.0.128/25") == "10.1.1.0/24"
    assert subnet("10.1.0.0/16") == "10.9.0.0/24"
    with pytest.raises(Conflict, match="all predefined address pools have been fully subnetted"):
        subnet("10.0.0.0/8")


def test_a_chosen_subnet_avoids_what_an_asked_one_may_overlap() -> None:
    distant = {"vpn": IPv4Network("10.1.0.0/16")}
    assert ipam.resolve(IPAM(), POOLS, {}, distant).config[0].subnet == "10.9.0.0/24"
    asked = IPAM(config=[IPAMPool(subnet="10.1.7.0/24")])
    assert ipam.resolve(asked, POOLS, {}, distant).config[0].gateway == "10.1.7.1"


def test_the_lowest_free_address() -> None:
    pool = IPAMPool(subnet="10.1.0.0/29", gateway="10.1.0.1", auxiliary_addresses={"a": "10.1.0.3"})
    assert ipam.allocate(pool, {"10.1.0.2"}, "", "app") == "10.1.0.4"
    with pytest.raises(Conflict, match=r"no available IPv4 addresses on network app \(10\.1\.0"):
        ipam.allocate(pool, {f"10.1.0.{last}" for last in range(2, 7)}, "", "app")


def test_a_mac_belongs_to_its_address() -> None:
    assert ipam.mac_of("10.1.2.255") == "02:42:0a:01:02:ff"


def test_the_default_endpoint() -> None:
    first, second = EndpointSettings(gateway="10.1.0.1"), EndpointSettings(gateway="10.2.0.1")
    preferred = EndpointSettings(gateway="10.3.0.1", gw_priority=1)
    internal = EndpointSettings(gw_priority=9)
    assert ipam.default_endpoint({"b": second, "a": first}) is first
    assert ipam.default_endpoint({"a": first, "z": preferred, "i": internal}) is preferred
    assert ipam.default_endpoint({"i": internal}) is None
