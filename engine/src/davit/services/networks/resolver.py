"""What a container resolves: answers to its questions, and its ``resolv.conf``. Pure."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from davit.model import ids
from davit.model.dns import Answer
from davit.model.network import DEFAULT_NETWORK, Sandbox

ADDRESS = "127.0.0.11"
"""Where a container on a user-defined network finds davit's name server."""
_REVERSE = ".in-addr.arpa"
_REVERSE_6 = ".ip6.arpa"


def is_user_defined(network: str) -> bool:
    return network not in (DEFAULT_NETWORK, "none", "host")


def has_names(networks: Iterable[str]) -> bool:
    """Whether containers find each other by name on one of these networks."""
    return any(is_user_defined(network) for network in networks)


def answer(name: str, asker: Sandbox, sandboxes: Sequence[Sandbox]) -> Answer | None:
    """Look up a container on the networks that the asker is on, None when there is none.

    name: in lower case, without the last dot: a container's name, alias, short ID or host name,
    with or without ``.network`` behind it, or an address in ``in-addr.arpa`` or ``ip6.arpa``.
    """
    networks = [network for network in asker.endpoints if is_user_defined(network)]
    if name.endswith((_REVERSE, _REVERSE_6)):
        return _reverse(name, networks, sandboxes)
    found = []
    for network in networks:
        wanted = _linked(asker, network).get(name, name)
        found += [
            address
            for sandbox in sandboxes
            if network in sandbox.endpoints and _is_called(sandbox, network, wanted)
            for address in sandbox.endpoints[network].addresses
        ]
    # In another order each time, so that containers with the same alias share the load.
    return Answer(addresses=random.sample(found, len(found))) if found else None


def _linked(asker: Sandbox, network: str) -> dict[str, str]:
    """What the asker alone calls others: alias → name (links ``name:alias`` of its endpoint)."""
    links = (link.lower().partition(":") for link in asker.endpoints[network].links)
    return {alias: name for name, _, alias in links if alias}


def _is_called(sandbox: Sandbox, network: str, name: str) -> bool:
    scope = f".{network.lower()}"
    for own in sandbox.endpoints[network].dns_names:
        if name in (own.lower(), own.lower() + scope):
            return True
    return False


def _reverse(name: str, networks: Sequence[str], sandboxes: Sequence[Sandbox]) -> Answer | None:
    address = reversed_address(name)
    if address is None:
        return None
    for network in networks:
        for sandbox in sandboxes:
            endpoint = sandbox.endpoints.get(network)
            if endpoint is not None and address in map(ipaddress.ip_address, endpoint.addresses):
                return Answer(names=[f"{sandbox.name}.{network}"])
    return None


def reversed_address(name: str) -> IPv4Address | IPv6Address | None:
    """The address in a name of RFC 1035, 3.5 or RFC 3596, 2.5; None when there is none."""
    if name.endswith(_REVERSE):
        text = ".".join(reversed(name.removesuffix(_REVERSE).split(".")))
    else:
        digits = "".join(reversed(name.removesuffix(_REVERSE_6).split(".")))
        text = ":".join(digits[start : start + 4] for start in range(0, len(digits), 4))
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Resolvers:
    """The three kinds of line of resolv.conf(5)."""

    servers: Sequence[str] = ()
    search: Sequence[str] = ()
    options: Sequence[str] = ()

    @staticmethod
    def parse(text: str) -> Resolvers:
        """Read a resolv.conf; what is not understood is left out."""
        servers: list[str] = []
        search: list[str] = []
        options: list[str] = []
        for line in text.splitlines():
            words = line.split("#")[0].split(";")[0].split()
            if words[:1] == ["nameserver"] and len(words) > 1:
                servers.append(words[1])
            elif words[:1] in (["search"], ["domain"]):
                search = words[1:]
            elif words[:1] == ["options"]:
                options += words[1:]
        return Resolvers(servers, search, options)

    def or_else(self, others: Resolvers) -> Resolvers:
        """Each kind of line that is missing here from there."""
        return Resolvers(
            self.servers or others.servers,
            self.search or others.search,
            self.options or others.options,
        )

    def reachable(self) -> Resolvers:
        """Without servers on the host's loopback, which a container cannot reach."""
        servers = [server for server in self.servers if not _is_loopback(server)]
        return Resolvers(servers, self.search, self.options)

    @property
    def are_hidden(self) -> bool:
        """Whether all servers are on the host's loopback: only davit can ask them."""
        return bool(self.servers) and not self.reachable().servers

    def render(self) -> str:
        """As the text of a resolv.conf."""
        search = [] if self.search == ["."] else self.search
        lines = [f"nameserver {server}" for server in self.servers]
        lines += [f"search {' '.join(search)}"] if search else []
        lines += [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(f"{line}\n" for line in lines)


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return True


def resolv_conf(own: Resolvers, host: Resolvers, networks: Iterable[str]) -> str:
    """Text of a container's ``/etc/resolv.conf``.

    own: the container's settings, completed by the daemon's; host: the host's.
    """
    effective = own.or_else(host.reachable())
    if not has_names(networks):
        ask_davit = host.are_hidden and not own.servers
        servers = [ADDRESS] if ask_davit else effective.servers
        return Resolvers(servers, effective.search, effective.options).render()
    options = effective.options
    if not any(option.startswith("ndots:") for option in options):
        # Names without a dot are containers: ask for them before trying the search domains.
        options = [*options, "ndots:0"]
    return Resolvers([ADDRESS], effective.search, options).render()


def dns_rules(ports: tuple[int, int]) -> str:
    """Rules inside a container's namespace that lead port 53 to the server's own ports.

    So a name server that the container itself runs finds port 53 free.
    """
    udp, tcp = ports
    return f"""\
table ip davit_dns
delete table ip davit_dns
table ip davit_dns {{
	chain output {{
		type nat hook output priority -100; policy accept;
		ip daddr {ADDRESS} udp dport 53 dnat to {ADDRESS}:{udp}
		ip daddr {ADDRESS} tcp dport 53 dnat to {ADDRESS}:{tcp}
	}}
}}
"""


def names_of(name: str, container_id: str, hostname: str, aliases: Iterable[str]) -> list[str]:
    """Everything an endpoint is called, each once."""
    return list(dict.fromkeys([name, *aliases, ids.short(container_id), hostname]))
