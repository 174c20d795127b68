"""The packet filter's IPv6 half, as text for nft(8). Pure.

A table of the same name in the family ``ip6``: published ports, isolation and masquerading as for
IPv4, but for ``::1``: the kernel takes no answer for it from another interface (rt6_need_strict);
see ``drivers.relay``.
"""

from __future__ import annotations

from collections.abc import Sequence


def ruleset(
    table: str,
    bridges: str,
    chains: tuple[str, str],
    everywhere: Sequence[str],
    at_address: Sequence[str],
    opened: Sequence[str],
) -> str:
    """The whole table; applied at once, it replaces what was there.

    bridges: elements of the set; chains: the networks' rules for forward and postrouting; the
    others: elements of the maps of published ports and of the set of opened ones.
    """
    forward, leave = chains
    return f"""\
{erased(table)}table ip6 {table} {{
	set bridges {{
		type ifname
		{f"elements = {{ {bridges} }}" if bridges else ""}
	}}
	map published {{
		type inet_proto . inet_service : ipv6_addr . inet_service
		{f"elements = {{ {', '.join(everywhere)} }}" if everywhere else ""}
	}}
	map published_at {{
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
		{f"elements = {{ {', '.join(at_address)} }}" if at_address else ""}
	}}
	set opened {{
		type ipv6_addr . inet_proto . inet_service
		{f"elements = {{ {', '.join(opened)} }}" if opened else ""}
	}}
	chain prerouting {{
		type nat hook prerouting priority -100; policy accept;
		fib daddr type local jump publish
	}}
	chain output {{
		type nat hook output priority -100; policy accept;
		fib daddr type local jump publish
	}}
	chain publish {{
		ip6 daddr ::1 return
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @published_at
		dnat ip6 to meta l4proto . th dport map @published
	}}
	chain forward {{
		type filter hook forward priority 0; policy accept;
{forward}
		oifname @bridges ct state established,related accept
		oifname @bridges ct status dnat accept
		oifname @bridges ip6 daddr . meta l4proto . th dport @opened accept
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
