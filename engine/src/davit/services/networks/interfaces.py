"""A container's own side of its networks: addresses and routes inside its namespace.

All calls block, and act in the namespace that the calling thread is in.
"""

from __future__ import annotations

from davit.drivers import netlink
from davit.model.network import EndpointSettings, Sandbox
from davit.services.networks import ipam, ipv6


def configure(links: netlink.Links, interface: str, endpoint: EndpointSettings) -> None:
    """Give a link its addresses and bring it up."""
    links.add_address(interface, endpoint.ip_address, endpoint.ip_prefix_len)
    links.set_up(interface)
    if endpoint.global_ipv6_address:
        for key, value in ipv6.link_sysctls(interface).items():
            netlink.set_sysctl(key, value)
        links.add_address(interface, endpoint.global_ipv6_address, endpoint.global_ipv6_prefix_len)


def ways_out(sandbox: Sandbox) -> tuple[EndpointSettings | None, str]:
    """What the default routes and published ports depend on, of both families."""
    return ipam.default_endpoint(sandbox.endpoints), ipv6.default_gateway(sandbox.endpoints)


def set_default_route(links: netlink.Links, sandbox: Sandbox) -> None:
    """Route what goes elsewhere through the default endpoint of each family."""
    default = ipam.default_endpoint(sandbox.endpoints)
    if default is not None:
        links.set_default_route(default.gateway)
    if gateway := ipv6.default_gateway(sandbox.endpoints):
        links.set_default_route(gateway)
