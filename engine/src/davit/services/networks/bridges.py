"""The bridge of a network in the kernel. All calls block."""

from __future__ import annotations

import ipaddress

from davit.drivers import netlink
from davit.model.network import DEFAULT_NETWORK, IPAMPool, Network
from davit.services.networks import addresses, ipv6, options
from davit.services.networks.options import BridgeOptions, GatewayMode

FORWARDING = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}
"""The host's switches, as ``drivers.netlink.set_sysctl`` takes them."""


def make(links: netlink.Links, network: Network, alias: str) -> None:
    """Make a network's bridge, with its addresses. Undoes itself. Raises Conflict (name taken)."""
    chosen = options.parse(network.spec.options)
    mac = addresses.bridge_mac(network)
    links.add_bridge(network.bridge, mac=mac, mtu=chosen.mtu, alias=alias)
    try:
        if (pool := network.ipv4_pool) is not None:
            if not chosen.inhibit_ipv4:
                _give_address(links, network, pool, chosen, 4)
            # Packets from 127.0.0.1 to a published port leave through the bridge.
            netlink.set_sysctl(f"ipv4/conf/{network.bridge}/route_localnet", "1")
            netlink.set_sysctl(FORWARDING[4], "1")
        if (pool := network.ipv6_pool) is not None:
            for key, value in ipv6.link_sysctls(network.bridge).items():
                netlink.set_sysctl(key, value)
            _give_address(links, network, pool, chosen, 6)
            netlink.set_sysctl(FORWARDING[6], "1")
        if network.name == DEFAULT_NETWORK and not chosen.icc:
            # What links allow between isolated ports goes through the host: it answers for all
            # (RFC 3069), and its packet filter decides.
            netlink.set_sysctl(f"ipv4/conf/{network.bridge}/proxy_arp_pvlan", "1")
            netlink.set_sysctl(f"ipv4/neigh/{network.bridge}/proxy_delay", "0")
    except BaseException:
        links.delete(network.bridge)
        raise


def _give_address(
    links: netlink.Links, network: Network, pool: IPAMPool, chosen: BridgeOptions, family: int
) -> None:
    if chosen.modes[family] is not GatewayMode.ISOLATED:
        prefix = ipaddress.ip_network(pool.subnet).prefixlen
        links.add_address(network.bridge, pool.gateway, prefix)
