"""The IPv6 side of a dual-stack network: its subnet, its containers' addresses. Pure."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import AddressValueError, IPv6Address, IPv6Network, NetmaskValueError

from davit.config import AddressPool
from davit.errors import Conflict, Forbidden, InvalidParameter
from davit.model.network import EndpointSettings, IPAMPool

LONGEST = 126
SUBNET = 64

Used = Mapping[str, IPv6Network]
"""What has a subnet already: how to call it → subnet."""


def default_pool(instance: str) -> AddressPool:
    """The daemon's own unique local block (RFC 4193): 40 bits made from what names the daemon."""
    random = hashlib.sha256(instance.encode()).digest()[:5]
    return AddressPool(str(IPv6Network((b"\xfd" + random + bytes(10), 48))), SUBNET)


def resolve(
    wishes: Sequence[IPAMPool], pools: Sequence[AddressPool], used: Used, avoid: Used
) -> IPAMPool:
    """Fill in what a request leaves open: subnet and gateway.

    wishes: the request's pool of this family, or none. used: subnets that must not overlap; avoid:
    that one chosen here shall not overlap either. Raises InvalidParameter, Forbidden (overlap),
    Conflict (pools used up).
    """
    wish = wishes[0] if wishes else IPAMPool(subnet=str(_free_subnet(pools, {**used, **avoid})))
    return _checked(wish, used)


def _free_subnet(pools: Sequence[AddressPool], used: Used) -> IPv6Network:
    for pool in pools:
        for subnet in IPv6Network(pool.base).subnets(new_prefix=pool.size):
            if not any(subnet.overlaps(other) for other in used.values()):
                return subnet
    bases = ", ".join(pool.base for pool in pools)
    raise Conflict(
        f"all predefined address pools have been fully subnetted ({bases}): remove a network "
        "or give an IPv6 subnet"
    )


def _checked(wish: IPAMPool, used: Used) -> IPAMPool:
    subnet = _parse_subnet(wish.subnet, "subnet")
    for name, other in used.items():
        if subnet.overlaps(other):
            raise Forbidden(
                f"Pool overlaps with other one on this address space: {subnet} overlaps {name}; "
                "choose another subnet"
            )
    gateway = _inside(wish.gateway, subnet, "gateway") if wish.gateway else subnet[1]
    if wish.ip_range:
        ip_range = _parse_subnet(wish.ip_range, "IP range")
        if not ip_range.subnet_of(subnet):
            raise InvalidParameter(
                f"invalid network config: IP range {ip_range} is not within subnet {subnet}"
            )
    return IPAMPool(
        subnet=str(subnet),
        ip_range=wish.ip_range,
        gateway=str(gateway),
        auxiliary_addresses={
            name: str(_inside(text, subnet, f"auxiliary address {name}"))
            for name, text in wish.auxiliary_addresses.items()
        },
    )


def _parse_subnet(text: str, what: str) -> IPv6Network:
    try:
        network = IPv6Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise InvalidParameter(
            f"invalid {what} {text!r}: address and prefix length are needed, as in fd00:1::/64"
        ) from None
    if "/" not in text or (what == "subnet" and network.prefixlen > LONGEST):
        raise InvalidParameter(
            f"invalid {what} {text!r}: a prefix length up to /{LONGEST} is needed, such as "
            "fd00:1::/64"
        )
    if network.is_link_local or network.is_multicast:
        raise InvalidParameter(
            f"invalid {what} {text!r}: link-local and multicast addresses cannot be given to "
            "containers; use a global or unique local subnet such as fd00:1::/64"
        )
    return network


def _inside(text: str, subnet: IPv6Network, what: str) -> IPv6Address:
    """The first address of a subnet is its routers' (RFC 4291, 2.6.1), and nobody's own."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise InvalidParameter(f"invalid {what} {text!r}: an IPv6 address is needed") from None
    if address not in subnet or address == subnet[0]:
        raise InvalidParameter(
            f"invalid network config: no matching subnet for {what} {address}: it is not a host "
            f"address of {subnet}"
        )
    return address


def check_address(pool: IPAMPool | None, text: str, network: str) -> str:
    """Whether a container may ask for this address at all. Raises InvalidParameter."""
    if pool is None:
        raise InvalidParameter(
            f"invalid address {text}: network {network} has no IPv6; create it with EnableIPv6"
        )
    return str(_inside(text, IPv6Network(pool.subnet), f"address for network {network}"))


def allocate(pool: IPAMPool, taken: Collection[str], wish: str, network: str) -> str:
    """Return the wished address, or the lowest free one of the pool's range.

    taken: addresses of other endpoints. Raises Conflict (taken, or none left), InvalidParameter.
    """
    if wish:
        address = check_address(pool, wish, network)
        if address in taken or address == pool.gateway:
            raise Conflict(
                f"Address already in use: {address} on network {network}; choose another or none"
            )
        return address
    reserved = {pool.gateway, *pool.auxiliary_addresses.values(), *taken}
    for candidate in _hosts(pool):
        if str(candidate) not in reserved:
            return str(candidate)
    raise Conflict(
        f"no available IPv6 addresses on network {network} ({pool.ip_range or pool.subnet}): "
        "disconnect a container or use a larger subnet"
    )


def _hosts(pool: IPAMPool) -> Iterable[IPv6Address]:
    subnet = IPv6Network(pool.subnet)
    chosen = IPv6Network(pool.ip_range) if pool.ip_range else subnet
    return itertools.filterfalse(subnet[0].__eq__, chosen)


def default_endpoint(endpoints: Mapping[str, EndpointSettings]) -> EndpointSettings | None:
    """Through which a container reaches the IPv6 world, and its ports are reached, chosen as for
    IPv4."""
    routed = [(-held.gw_priority, name) for name, held in endpoints.items() if held.ipv6_gateway]
    return endpoints[min(routed)[1]] if routed else None


def link_sysctls(interface: str) -> dict[str, str]:
    """What a link needs before it gets its address: nothing is asked of routers or neighbours.

    Duplicate address detection would hold every start up for a second; addresses come from one
    place only, so there are no duplicates.
    """
    base = f"ipv6/conf/{interface}"
    return {f"{base}/accept_ra": "0", f"{base}/accept_dad": "0", f"{base}/disable_ipv6": "0"}
