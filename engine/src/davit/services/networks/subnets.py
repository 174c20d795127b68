"""Which subnets a new network gets, beside those that are taken. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

import msgspec

from davit.config import AddressPool
from davit.drivers.netlink import Route
from davit.errors import Forbidden, InvalidParameter
from davit.model.network import IPAM, IPAMPool, Network, NetworkSpec
from davit.services.networks import ipam, ipv6, macvlan, options
from davit.services.networks.options import GatewayMode


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
    found = []
    wish = msgspec.structs.replace(spec.ipam, config=asked[4])
    if spec.enable_ipv4:
        if spec.driver == macvlan.DRIVER:
            # It is on a network of the host's: that is what it is for.
            routes = [dataclasses.replace(route, on_link=False) for route in routes]
        blocks = [pool for pool in pools if ":" not in pool.base]
        wish = _resolve_ipv4(wish, networks, routes, blocks)
        found += wish.config
    elif asked[4]:
        raise InvalidParameter(
            f"network {spec.name}: IPv4 subnet {asked[4][0].subnet or '(none)'} without IPv4: "
            "leave it or EnableIPv4 out"
        )
    blocks = [pool for pool in pools if ":" in pool.base] or [own]
    if spec.enable_ipv6:
        used = {
            f"network {network.name} ({network.ipv6_pool.subnet})": IPv6Network(
                network.ipv6_pool.subnet
            )
            for network in networks
            if network.ipv6_pool is not None
        }
        found.append(ipv6.resolve(asked[6], blocks, used))
    elif asked[6]:
        # As Docker has it: a subnet is kept and shown, and nobody gets an address of it.
        found.append(ipv6.resolve(asked[6], blocks, {}))
    return IPAM(
        driver="default",
        options=spec.ipam.options,
        config=[_without_gateway(pool, spec) for pool in found],
    )


def _resolve_ipv4(
    wish: IPAM, networks: Iterable[Network], routes: Iterable[Route], pools: Sequence[AddressPool]
) -> IPAM:
    used = {
        f"network {network.name} ({network.ipv4_pool.subnet})": IPv4Network(
            network.ipv4_pool.subnet
        )
        for network in networks
        if network.ipv4_pool is not None
    }
    distant: dict[str, IPv4Network] = {}
    for route in routes:
        # A subnet that is asked for may well be part of a larger network behind a gateway.
        group = used if route.on_link else distant
        name = f"the host's route to {route.destination} through {route.interface}"
        group[name] = IPv4Network(route.destination)
    return ipam.resolve(wish, pools, used, distant)


def _without_gateway(pool: IPAMPool, spec: NetworkSpec) -> IPAMPool:
    """A bridge that is isolated from the host has no address."""
    if spec.driver == macvlan.DRIVER:
        return pool
    mode = options.parse(spec.options).modes[6 if ":" in pool.subnet else 4]
    return msgspec.structs.replace(pool, gateway="") if mode is GatewayMode.ISOLATED else pool
