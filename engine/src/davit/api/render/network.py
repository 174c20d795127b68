"""Networks as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from davit.model import codec, times
from davit.model.network import IPAMPool, Network, Sandbox


def network(row: Network, members: Sequence[Sandbox] = ()) -> dict[str, Any]:
    """``Network`` of the Engine API. members: the running containers on it."""
    spec = row.spec
    return {
        "Name": row.name,
        "Id": row.id,
        "Created": times.rfc3339(row.created),
        "Scope": spec.scope or "local",
        "Driver": spec.driver,
        "EnableIPv4": spec.enable_ipv4,
        "EnableIPv6": spec.enable_ipv6,
        "IPAM": {
            "Driver": spec.ipam.driver,
            "Options": spec.ipam.options or None,
            "Config": [_pool(pool) for pool in spec.ipam.config],
        },
        "Internal": spec.internal,
        "Attachable": spec.attachable,
        "Ingress": spec.ingress,
        "ConfigFrom": {"Network": spec.config_from.network},
        "ConfigOnly": spec.config_only,
        "Containers": {member.container_id: _member(row, member) for member in members},
        "Options": spec.options,
        "Labels": spec.labels,
    }


def _pool(pool: IPAMPool) -> dict[str, Any]:
    """Without what is empty, as Docker leaves it out."""
    return {key: value for key, value in codec.builtins(pool).items() if value}


def _member(row: Network, member: Sandbox) -> dict[str, Any]:
    endpoint = member.endpoints[row.name]
    address = f"{endpoint.ip_address}/{endpoint.ip_prefix_len}" if endpoint.ip_address else ""
    ipv6 = endpoint.global_ipv6_address
    return {
        "Name": member.name,
        "EndpointID": endpoint.endpoint_id,
        "MacAddress": endpoint.mac_address,
        "IPv4Address": address,
        "IPv6Address": f"{ipv6}/{endpoint.global_ipv6_prefix_len}" if ipv6 else "",
    }
