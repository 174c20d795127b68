"""A container's own side of its networks: addresses and routes inside its namespace.

All calls block, and act in the namespace that the calling thread is in.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from davit.drivers import netlink
from davit.errors import InvalidParameter
from davit.model.network import EndpointSettings, Sandbox
from davit.services.networks import ipam, ipv6

_LINK_LOCAL_PREFIX = {4: 16, 6: 64}  # RFC 3927, RFC 4291


def configure(links: netlink.Links, interface: str, endpoint: EndpointSettings) -> None:
    """Give a link its addresses and bring it up."""
    if endpoint.ip_address:
        links.add_address(interface, endpoint.ip_address, endpoint.ip_prefix_len)
    links.set_up(interface)
    asked = endpoint.ipam_config.link_local_ips if endpoint.ipam_config else []
    further = [link_local(text) for text in asked]
    if endpoint.global_ipv6_address or any(address.version == 6 for address in further):
        for key, value in ipv6.link_sysctls(interface).items():
            netlink.set_sysctl(key, value)
    if endpoint.global_ipv6_address:
        links.add_address(interface, endpoint.global_ipv6_address, endpoint.global_ipv6_prefix_len)
    for address in further:
        links.add_address(interface, str(address), _LINK_LOCAL_PREFIX[address.version])


def link_local(text: str) -> IPv4Address | IPv6Address:
    """An address that an endpoint has besides those of its network. Raises InvalidParameter."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(text)
        if address.is_link_local:
            return address
    raise InvalidParameter(
        f"invalid link-local IP address {text!r}: one such as 169.254.8.8 or fe80::8 is needed"
    )


def ways_out(endpoints: Mapping[str, EndpointSettings]) -> dict[int, EndpointSettings]:
    """The default endpoint of each family, 4 and 6, that has one: default routes and published
    ports depend on them."""
    found = {4: ipam.default_endpoint(endpoints), 6: ipv6.default_endpoint(endpoints)}
    return {family: endpoint for family, endpoint in found.items() if endpoint is not None}


def set_default_route(links: netlink.Links, sandbox: Sandbox) -> None:
    """Route what goes elsewhere through the default endpoint of each family."""
    for family, endpoint in ways_out(sandbox.endpoints).items():
        links.set_default_route(endpoint.gateway if family == 4 else endpoint.ipv6_gateway)
