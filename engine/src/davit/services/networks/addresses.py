"""What an endpoint gets of its network's subnets, in both families. Pure."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Address, IPv6Network

import msgspec

from davit.model.network import EndpointIPAMConfig, EndpointSettings, IPAMPool, Network
from davit.services.networks import ipam, ipv6

DEFAULT_GATEWAYS = {4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6"}
"""Names of auxiliary addresses that containers have for their router instead of the bridge."""


def give(network: Network, wish: EndpointSettings, taken: Collection[str]) -> EndpointSettings:
    """Return the wish with the addresses and the MAC that it gets.

    taken: addresses of other endpoints. Raises Conflict (taken, or none left), InvalidParameter.
    """
    asked, given = wish.ipam_config or EndpointIPAMConfig(), wish
    if (pool := network.ipv4_pool) is not None:
        given = msgspec.structs.replace(
            given,
            gateway=_gateway(network, pool, 4),
            ip_address=ipam.allocate(pool, taken, asked.ipv4_address, network.name),
            ip_prefix_len=IPv4Network(pool.subnet).prefixlen,
        )
    if (pool := network.ipv6_pool) is not None:
        given = msgspec.structs.replace(
            given,
            ipv6_gateway=_gateway(network, pool, 6),
            global_ipv6_address=ipv6.allocate(pool, taken, asked.ipv6_address, network.name),
            global_ipv6_prefix_len=IPv6Network(pool.subnet).prefixlen,
        )
    if wish.mac_address:
        mac = ipam.check_mac(wish.mac_address)
    elif given.addresses:
        mac = mac_of(given.addresses[0])
    else:
        mac = "02:42:" + secrets.token_bytes(4).hex(":")
    return msgspec.structs.replace(given, mac_address=mac)


def _gateway(network: Network, pool: IPAMPool, family: int) -> str:
    if network.spec.internal:
        return ""
    return pool.auxiliary_addresses.get(DEFAULT_GATEWAYS[family], pool.gateway)


def mac_of(address: str) -> str:
    """A locally administered MAC address made from an IP address: always the same one, so that
    neighbours' caches stay right when the address passes to another container."""
    if ":" not in address:
        return ipam.mac_of(address)
    digest = hashlib.sha256(IPv6Address(address).packed).digest()
    return "02:42:" + ":".join(f"{byte:02x}" for byte in digest[:4])


def bridge_mac(network: Network) -> str:
    """The bridge's: from its address, or, when it has none, from the network's ID."""
    held = bridge_addresses(network)
    if held:
        return mac_of(held[0])
    return "06:" + ":".join(network.id[start : start + 2] for start in range(0, 10, 2))


def bridge_addresses(network: Network) -> list[str]:
    """The bridge's own addresses, IPv4 first."""
    pools = (network.ipv4_pool, network.ipv6_pool)
    return [pool.gateway for pool in pools if pool is not None and pool.gateway]
