"""The packet filter as text for nft(8). Pure.

One table for each daemon. What changes with each container (published ports) lies in two maps, so
that a start or stop adds or deletes elements; the rules change only with the networks.

- Published ports: destination NAT of whatever is addressed to the host itself, from outside, from
  containers, and from the host (127.0.0.1 included: ``route_localnet`` is set on each bridge, the
  source is masqueraded, and forged loopback addresses from the bridges are dropped).
- Isolation: into a bridge come replies and published ports, nothing else.
- Containers of a network without ``enable_icc`` are apart: its bridge does not forward between
  them, and what comes through the host passes to published ports and to ports of links.
- Internal networks: nothing in, nothing out.
- Networks that are routed: published ports are open at the container's own address (the set
  ``opened``), and packets leave with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from davit.model.network import DEFAULT_NETWORK, Network, Sandbox
from davit.services.networks import firewall_ipv6, ipv6
from davit.services.networks.firewall_rules import forward, postrouting
from davit.services.networks.ipam import default_endpoint
from davit.services.networks.ports import ANY, ANY_IPV6, LOOPBACK_IPV6


def ruleset(table: str, networks: Sequence[Network], sandboxes: Sequence[Sandbox]) -> str:
    """The whole table; applied at once, it replaces what was there."""
    bridged = [network for network in networks if network.bridge]
    bridges = ", ".join(f'"{network.bridge}"' for network in bridged)
    everywhere, at_address, opened = _elements(sandboxes, 4)
    linked = sorted(links(sandboxes))
    return f"""\
table ip {table}
delete table ip {table}
table ip {table} {{
	set bridges {{
		type ifname
		{f"elements = {{ {bridges} }}" if bridges else ""}
	}}
	map published {{
		type inet_proto . inet_service : ipv4_addr . inet_service
		{f"elements = {{ {', '.join(everywhere)} }}" if everywhere else ""}
	}}
	map published_at {{
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		{f"elements = {{ {', '.join(at_address)} }}" if at_address else ""}
	}}
	set opened {{
		type ipv4_addr . inet_proto . inet_service
		{f"elements = {{ {', '.join(opened)} }}" if opened else ""}
	}}
	set linked {{
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		{f"elements = {{ {', '.join(linked)} }}" if linked else ""}
	}}
	chain forged {{
		type filter hook prerouting priority -300; policy accept;
		iifname @bridges ip saddr 127.0.0.0/8 drop
		iifname @bridges ip daddr 127.0.0.0/8 drop
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
		dnat ip to ip daddr . meta l4proto . th dport map @published_at
		dnat ip to meta l4proto . th dport map @published
	}}
	chain forward {{
		type filter hook forward priority 0; policy accept;
{_lines(forward, bridged, 4)}
		oifname @bridges ct state established,related accept
		oifname @bridges ct status dnat accept
		oifname @bridges ip daddr . meta l4proto . th dport @opened accept
		oifname @bridges drop
	}}
	chain postrouting {{
		type nat hook postrouting priority 100; policy accept;
		oifname @bridges ip saddr 127.0.0.0/8 masquerade
{_lines(postrouting, bridged, 4)}
	}}
}}
{
        firewall_ipv6.ruleset(
            table,
            bridges,
            (_lines(forward, bridged, 6), _lines(postrouting, bridged, 6)),
            *_elements(sandboxes, 6),
        )
    }"""


def published(table: str, sandbox: Sandbox) -> str:
    """Publish a container's ports; empty when there is nothing to do."""
    return _change("add", table, sandbox)


def withdrawn(table: str, sandbox: Sandbox) -> str:
    """Undo :func:`published`."""
    return _change("delete", table, sandbox)


def links(sandboxes: Sequence[Sandbox]) -> set[str]:
    """Elements of the set ``linked``: who on the default network may call which port of whom."""
    linking = [sandbox for sandbox in sandboxes if sandbox.reaches]
    if not linking:
        return set()
    at = {
        sandbox.container_id: sandbox.endpoints[DEFAULT_NETWORK].ip_address
        for sandbox in sandboxes
        if DEFAULT_NETWORK in sandbox.endpoints
    }
    return {
        f"{at[sandbox.container_id]} . {at[other]} . {protocol} . {number}"
        for sandbox in linking
        for other, ports in sandbox.reaches.items()
        if other in at and sandbox.container_id in at
        for number, _, protocol in (port.partition("/") for port in ports)
    }


def erased(table: str) -> str:
    """Remove all; also when there is nothing."""
    return f"table ip {table}\ndelete table ip {table}\n{firewall_ipv6.erased(table)}"


def _change(verb: str, table: str, sandbox: Sandbox) -> str:
    return "".join(
        f"{verb} element {tables} {table} {name} {{ {', '.join(elements)} }}\n"
        for tables, family in (("ip", 4), ("ip6", 6))
        for name, elements in zip(
            ("published", "published_at", "opened"), _elements([sandbox], family), strict=True
        )
        if elements
    )


def _elements(sandboxes: Iterable[Sandbox], family: int) -> tuple[list[str], list[str], list[str]]:
    """Elements of the maps ``published`` and ``published_at`` and of the set ``opened``, of a
    family, 4 or 6."""
    everywhere, at_address, opened = [], [], []
    for sandbox in sandboxes:
        target = _target(sandbox, family)
        for port, bindings in sandbox.ports.items() if target else ():
            number, _, protocol = port.partition("/")
            sides = [
                side
                for side in bindings
                if (":" in side.host_ip) == (family == 6) and side.host_ip != LOOPBACK_IPV6
            ]
            if any(not side.host_port for side in sides):
                opened.append(f"{target} . {protocol} . {number}")
            for side in sides:
                key, value = f"{protocol} . {side.host_port}", f"{target} . {number}"
                if side.host_port and side.host_ip in (ANY, ANY_IPV6):
                    everywhere.append(f"{key} : {value}")
                elif side.host_port:
                    at_address.append(f"{side.host_ip} . {key} : {value}")
    return everywhere, at_address, opened


def _target(sandbox: Sandbox, family: int) -> str:
    """The address that a container's published ports lead to, empty for none."""
    if family == 4:
        endpoint = default_endpoint(sandbox.endpoints)
        return endpoint.ip_address if endpoint is not None else ""
    endpoint = ipv6.default_endpoint(sandbox.endpoints)
    return endpoint.global_ipv6_address if endpoint is not None else ""


def _lines(
    rules: Callable[[Network, int], list[str]], networks: Iterable[Network], family: int
) -> str:
    return "\n".join(f"\t\t{line}" for network in networks for line in rules(network, family))
