"""The packet filter's IPv6 half, as text for nft(8). Pure.

A table of the same name in the family ``ip6``: isolation and masquerading as for IPv4. No port is
published on IPv6, so nothing but replies comes into a bridge.
"""

from __future__ import annotations

from collections.abc import Sequence

from davit.model.network import Network
from davit.services.networks import options


def ruleset(table: str, networks: Sequence[Network]) -> str:
    """The whole table; applied at once, it replaces what was there. networks: bridged ones."""
    bridges = ", ".join(f'"{network.bridge}"' for network in networks)
    forward = "\n".join(f"\t\t{line}" for network in networks for line in _forward(network))
    leave = "\n".join(f"\t\t{line}" for network in networks for line in _postrouting(network))
    return f"""\
{erased(table)}table ip6 {table} {{
	set bridges {{
		type ifname
		{f"elements = {{ {bridges} }}" if bridges else ""}
	}}
	chain forward {{
		type filter hook forward priority 0; policy accept;
{forward}
		oifname @bridges ct state established,related accept
		oifname @bridges drop
	}}
	chain postrouting {{
		type nat hook postrouting priority 100; policy accept;
{leave}
	}}
}}
"""


def erased(table: str) -> str:
    """Remove all; also when there is nothing."""
    return f"table ip6 {table}\ndelete table ip6 {table}\n"


def _forward(network: Network) -> list[str]:
    bridge = f'"{network.bridge}"'
    within = f"iifname {bridge} oifname {bridge}"
    if options.parse(network.spec.options).icc:
        lines = [f"{within} accept"]
    else:
        lines = [f"{within} ct state established,related accept", f"{within} drop"]
    if network.spec.internal:
        lines += [f"iifname {bridge} drop", f"oifname {bridge} drop"]
    return lines


def _postrouting(network: Network) -> list[str]:
    pool = network.ipv6_pool
    if pool is None or network.spec.internal:
        return []
    if not options.parse(network.spec.options).masquerade:
        return []
    return [f'ip6 saddr {pool.subnet} oifname != "{network.bridge}" masquerade']
