"""The packet filter's rules for one network, of either family. Pure."""

from __future__ import annotations

from davit.model.network import Network
from davit.services.networks import options
from davit.services.networks.options import GatewayMode

IP = {4: "ip", 6: "ip6"}
"""What nft(8) calls a family's tables and headers."""
_ICMP = {4: "icmp", 6: "icmpv6"}


def forward(network: Network, family: int) -> list[str]:
    """Between its containers, and what a gateway mode lets in besides published ports."""
    chosen = options.parse(network.spec.options)
    bridge = f'"{network.bridge}"'
    within = f"iifname {bridge} oifname {bridge}"
    if chosen.icc:
        lines = [f"{within} accept"]
    else:
        lines = [
            f"{within} ct state established,related accept",
            f"{within} ct status dnat accept",
        ]
        if family == 4:
            lines.append(f"{within} ip saddr . ip daddr . meta l4proto . th dport @linked accept")
        lines.append(f"{within} drop")
    mode = chosen.modes[family]
    if network.spec.internal:
        lines += [f"iifname {bridge} drop", f"oifname {bridge} drop"]
    elif mode is GatewayMode.UNPROTECTED:
        lines.append(f"oifname {bridge} accept")
    elif mode is GatewayMode.ROUTED:
        lines.append(f"oifname {bridge} meta l4proto {_ICMP[family]} accept")
    return lines


def postrouting(network: Network, family: int) -> list[str]:
    """Whose packets get an address of the host's."""
    chosen, pool = options.parse(network.spec.options), network.pool(family)
    if pool is None or network.spec.internal or chosen.modes[family] is GatewayMode.ROUTED:
        return []
    bridge, source = f'"{network.bridge}"', f"{IP[family]} saddr {pool.subnet}"
    # A container that reaches a neighbour through the host's address gets its answer from there.
    lines = [f"{source} oifname {bridge} ct status dnat masquerade"]
    if chosen.masquerade:
        address = chosen.sources[family]
        how = f"snat to {address}" if address else "masquerade"
        lines.append(f"{source} oifname != {bridge} {how}")
    return lines
