"""Which subnets a new network gets, beside those that are taken. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

import msgspec

from davit.config import AddressPool
from davit.drivers.host_routes import Route
from davit.errors import Forbidden, InvalidParameter
from davit.model.network import IPAM, IPAMPool, Network, NetworkSpec
from davit.services.networks import ipam, ipv6, macvlan, options
from davit.services.networks.options import GatewayMode

NO_ADDRESSES = "null"
"""The IPAM driver that gives none."""


def resolve(
    spec: NetworkSpec,
    networks: Sequence[Network],
    routes: Iterable[Route],
    pools: Sequence[AddressPool],
    own: AddressPool,
) -> IPAM:
    """Fill in what a request leaves open, the IPv4 pool first.

    networks, routes: the others, and the host's. pools: where subnets are cut from; own: where
    IPv6 ones are, when none of ``pools`` is of IPv6. Raises InvalidParameter, Forbidden (overlap,
    several of a family), Conflict (all pools used up), NotSupported.
    """
    if spec.ipam.driver == NO_ADDRESSES:
        return _without_subnets(spec)
    networks = [network for network in networks if not network.spec.config_only]
    asked = {
        4: [pool for pool in spec.ipam.config if ":" not in pool.subnet],
        6: [pool for pool in spec.ipam.config if ":" in pool.subnet],
    }
    for family, some in asked.items():
        if len(some) > 1:
            raise Forbidden(
                f"network {spec.name}: {spec.driver or 'bridge'} driver doesn't support multiple "
                f"subnets: give one IPv{family} subnet, and create a network for each further one"
            )
    if spec.driver == macvlan.DRIVER:
        # It is on a network of the host's: that is what it is for.
        routes = [dataclasses.replace(route, on_link=False) for route in routes]
    found = []
    if spec.enable_ipv4:
        wish = msgspec.structs.replace(spec.ipam, config=asked[4])
        used, distant = (
            {name: IPv4Network(subnet) for name, subnet in group.items()}
            for group in _taken(networks, routes, 4)
        )
        blocks = [pool for pool in pools if ":" not in pool.base]
        found += ipam.resolve(wish, blocks, used, distant).config
    elif asked[4]:
        raise InvalidParameter(
            f"network {spec.name}: IPv4 subnet {asked[4][0].subnet or '(none)'} without IPv4: "
            "leave it or EnableIPv4 out"
        )
    blocks = [pool for pool in pools if ":" in pool.base] or [own]
    if spec.enable_ipv6:
        used6, distant6 = (
            {name: IPv6Network(subnet) for name, subnet in group.items()}
            for group in _taken(networks, routes, 6)
        )
        found.append(ipv6.resolve(asked[6], blocks, used6, distant6))
    elif asked[6]:
        # As Docker has it: a subnet is kept and shown, and nobody gets an address of it.
        found.append(ipv6.resolve(asked[6], blocks, {}, {}))
    return IPAM(
        driver="default",
        options=spec.ipam.options,
        config=[_without_gateway(pool, spec) for pool in found],
    )


def _without_subnets(spec: NetworkSpec) -> IPAM:
    """Containers get no addresses: something in them asks a DHCP server on the parent's network."""
    if spec.driver != macvlan.DRIVER:
        raise InvalidParameter(
            f"network {spec.name}: IPAM driver '{NO_ADDRESSES}' gives no addresses, which a bridge "
            "needs: leave it out, or use it with the driver macvlan"
        )
    if any(pool.subnet for pool in spec.ipam.config):
        raise InvalidParameter(
            f"network {spec.name}: null ipam driver does not handle subnets: leave the subnet or "
            "the IPAM driver out"
        )
    return IPAM(driver=NO_ADDRESSES, options=spec.ipam.options)


def _taken(
    networks: Iterable[Network], routes: Iterable[Route], family: int
) -> tuple[dict[str, str], dict[str, str]]:
    """What has a subnet already, and what is behind gateways: how to call it → subnet."""
    pools = [(network.name, network.pool(family)) for network in networks]
    used = {f"network {name} ({pool.subnet})": pool.subnet for name, pool in pools if pool}
    distant: dict[str, str] = {}
    for route in routes:
        if (":" in route.destination) == (family == 6):
            # A subnet that is asked for may well be part of a larger network behind a gateway.
            group = used if route.on_link else distant
            name = f"the host's route to {route.destination} through {route.interface}"
            group[name] = route.destination
    return used, distant


def _without_gateway(pool: IPAMPool, spec: NetworkSpec) -> IPAMPool:
    """A bridge that is isolated from the host has no address."""
    if spec.driver == macvlan.DRIVER:
        return pool
    mode = options.parse(spec.options).modes[6 if ":" in pool.subnet else 4]
    return msgspec.structs.replace(pool, gateway="") if mode is GatewayMode.ISOLATED else pool
