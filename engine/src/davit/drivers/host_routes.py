"""The host's routes, as proc(5) tells them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Route:
    """destination: CIDR; on_link: its hosts are reached without a gateway."""

    destination: str
    interface: str
    on_link: bool


def read() -> list[Route]:
    """Those of both families without default routes; of IPv6 also without those that each link has,
    of multicast and link-local addresses, and of the loopback. Blocking."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, gateway, _, _, _, _, mask = line.split()[:8]
        prefix = int(mask, 16).bit_count()
        if prefix:
            address = socket.inet_ntoa(struct.pack("=I", int(destination, 16)))
            found.append(Route(f"{address}/{prefix}", interface, int(gateway, 16) == 0))
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        for line in Path("/proc/net/ipv6_route").read_text().splitlines():
            destination, length, _, _, gateway, *_, interface = line.split()
            network = ipaddress.IPv6Network((bytes.fromhex(destination), int(length, 16)))
            if network.prefixlen and interface != "lo" and not _is_everywhere(network):
                found.append(Route(str(network), interface, int(gateway, 16) == 0))
    return found


def _is_everywhere(network: ipaddress.IPv6Network) -> bool:
    """Whether each link has a route to it."""
    return network.is_multicast or network.is_link_local
