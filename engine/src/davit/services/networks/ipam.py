"""Addresses: which subnet a network gets, which address a container gets. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from davit.config import AddressPool
from davit.errors import Conflict, Forbidden, InvalidParameter, NotSupported
from davit.model.network import IPAM, EndpointSettings, IPAMPool

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}\Z")

Used = Mapping[str, IPv4Network]
"""What has a subnet already: how to call it → subnet."""


def resolve(ipam: IPAM, pools: Sequence[AddressPool], used: Used, avoid: Used) -> IPAM:
    """Fill in what a request leaves open, subnet and gateway; it has one pool or none.

    used: subnets that must not overlap; avoid: that one chosen here shall not overlap either.
    Raises InvalidParameter, Forbidden (overlap), Conflict (all pools used up), NotSupported.
    """
    if ipam.driver not in ("", "default"):
        raise NotSupported(f"IPAM driver {ipam.driver!r} is not supported: use 'default' or 'null'")
    wish = ipam.config[0] if ipam.config else IPAMPool()
    if not wish.subnet:
        if wish.gateway or wish.ip_range or wish.auxiliary_addresses:
            raise InvalidParameter(
                "IPAM config without a subnet: gateway, IP range and auxiliary addresses need one"
            )
        wish = IPAMPool(subnet=str(_free_subnet(pools, {**used, **avoid})))
    return IPAM(driver="default", options=ipam.options, config=[_checked(wish, used)])


def _free_subnet(pools: Sequence[AddressPool], used: Used) -> IPv4Network:
    taken = list(used.values())
    for pool in pools:
        for subnet in IPv4Network(pool.base).subnets(new_prefix=pool.size):
            if not any(subnet.overlaps(other) for other in taken):
                return subnet
    raise Conflict(
        "all predefined address pools have been fully subnetted: remove a network, give a subnet, "
        "or set default-address-pools"
    )


def _checked(wish: IPAMPool, used: Used) -> IPAMPool:
    subnet = parse_subnet(wish.subnet)
    for name, other in used.items():
        if subnet.overlaps(other):
            raise Forbidden(
                f"Pool overlaps with other one on this address space: {subnet} overlaps {name}; "
                "choose another subnet"
            )
    if wish.gateway:
        gateway = _parse_address(wish.gateway, "gateway")
        _check_inside(gateway, subnet, "gateway")
    else:
        gateway = subnet[1]
    if wish.ip_range:
        ip_range = parse_subnet(wish.ip_range, "IP range")
        if not ip_range.subnet_of(subnet):
            raise InvalidParameter(
                f"invalid network config: IP range {ip_range} is not within subnet {subnet}"
            )
    for name, text in wish.auxiliary_addresses.items():
        _check_inside(_parse_address(text, f"auxiliary address {name}"), subnet, name)
    return IPAMPool(
        subnet=str(subnet),
        ip_range=wish.ip_range,
        gateway=str(gateway),
        auxiliary_addresses=wish.auxiliary_addresses,
    )


def parse_subnet(text: str, what: str = "subnet") -> IPv4Network:
    """Raises InvalidParameter, NotSupported for IPv6."""
    if ":" in text:
        raise NotSupported(f"{what} {text}: IPv6 networks are not supported yet; use IPv4")
    try:
        network = IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise InvalidParameter(
            f"invalid {what} {text!r}: address and prefix length are needed, as in 10.89.0.0/24"
        ) from None
    if "/" not in text or (what == "subnet" and network.prefixlen > 30):
        raise InvalidParameter(
            f"invalid {what} {text!r}: a prefix length up to /30 is needed, such as 10.89.0.0/24"
        )
    return network


def _parse_address(text: str, what: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise InvalidParameter(f"invalid {what} {text!r}: an IPv4 address is needed") from None


def _check_inside(address: IPv4Address, subnet: IPv4Network, what: str) -> None:
    if address not in subnet or address in (subnet[0], subnet[-1]):
        raise InvalidParameter(
            f"invalid network config: no matching subnet for {what} {address}: it is not a host "
            f"address of {subnet}"
        )


def check_address(pool: IPAMPool | None, text: str, network: str) -> IPv4Address:
    """Whether a container may ask for this address at all. Raises InvalidParameter."""
    if pool is None:
        raise InvalidParameter(
            f"invalid address {text}: network {network} has no IPv4; create it with EnableIPv4"
        )
    address = _parse_address(text, f"address for network {network}")
    subnet = IPv4Network(pool.subnet)
    if address not in subnet or address in (subnet[0], subnet[-1]):
        raise InvalidParameter(
            f"invalid address {address}: it is not a host address of network {network}, whose "
            f"subnet is {subnet}"
        )
    return address


def allocate(pool: IPAMPool, taken: Collection[str], wish: str, network: str) -> str:
    """Return the wished address, or the lowest free one of the pool's range.

    taken: addresses of other endpoints. Raises Conflict (taken, or none left), InvalidParameter.
    """
    reserved = {pool.gateway, *pool.auxiliary_addresses.values()}
    if wish:
        address = str(check_address(pool, wish, network))
        if address in taken or address == pool.gateway:
            raise Conflict(
                f"Address already in use: {address} on network {network}; choose another or none"
            )
        return address
    for candidate in _hosts(pool):
        text = str(candidate)
        if text not in reserved and text not in taken:
            return text
    raise Conflict(
        f"no available IPv4 addresses on network {network} ({pool.ip_range or pool.subnet}): "
        "disconnect a container or use a larger subnet"
    )


def _hosts(pool: IPAMPool) -> Iterable[IPv4Address]:
    subnet = IPv4Network(pool.subnet)
    if not pool.ip_range:
        return subnet.hosts()
    edges = (subnet[0], subnet[-1])
    return itertools.filterfalse(edges.__contains__, IPv4Network(pool.ip_range))


def mac_of(address: str) -> str:
    """Docker's locally administered MAC of an IPv4 address: ``02:42:`` and its four bytes.

    The same address always has the same MAC, so neighbours' ARP caches stay right when it passes to
    another container.
    """
    return "02:42:" + ":".join(f"{byte:02x}" for byte in IPv4Address(address).packed)


def check_mac(text: str) -> str:
    """A unicast MAC address in the usual form. Raises InvalidParameter."""
    if not _MAC.match(text) or int(text[:2], 16) & 1:
        raise InvalidParameter(
            f"invalid MAC address {text!r}: six bytes such as 02:42:0a:00:00:07 are needed, the "
            "first of them even"
        )
    return text.lower()


def default_endpoint(endpoints: Mapping[str, EndpointSettings]) -> EndpointSettings | None:
    """The endpoint through which a container reaches the world, and its published ports are
    reached: the one with the highest priority, of these the first by its network's name."""
    routed = [(-wish.gw_priority, name) for name, wish in endpoints.items() if wish.gateway]
    return endpoints[min(routed)[1]] if routed else None
