"""Host ports: which are asked for (pure), and holding them so that nobody else takes them."""

from __future__ import annotations

import errno
import ipaddress
import itertools
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from davit.errors import Conflict, InvalidParameter, NotSupported
from davit.model.config import PortBinding

ANY, ANY_IPV6, LOOPBACK_IPV6 = "0.0.0.0", "::", "::1"
_KINDS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "udp": (socket.SOCK_DGRAM, 0),
    "sctp": (socket.SOCK_SEQPACKET, socket.IPPROTO_SCTP),
}
_TRIES = 16
"""How often a port that the kernel chose on one address may be taken on the other."""

Bindings = Mapping[str, list[PortBinding]]


@dataclass(frozen=True)
class Wish:
    """One host side of a published port.

    port: the container's, ``80/tcp``; addresses: the host's, with the same port on each;
    candidates: host ports, the first free one is taken; ``range(1)`` (port 0) lets the kernel
    choose from ``net.ipv4.ip_local_port_range``. opened: "anywhere" of the families in which the
    port is open at the container's own address instead, without a host port.
    """

    port: str
    protocol: str
    addresses: tuple[str, ...]
    candidates: range
    opened: tuple[str, ...] = ()

    @property
    def attempts(self) -> Iterable[int]:
        return itertools.repeat(0, _TRIES) if self.candidates == range(1) else self.candidates


@dataclass(frozen=True)
class Claim:
    """A host port that a container holds. socket: bound to it; target: the container's port."""

    container_id: str
    name: str
    protocol: str
    address: str
    port: int
    target: int
    socket: socket.socket


def wishes(
    bindings: Bindings,
    default_address: str = ANY,
    *,
    families: Collection[int] = (4,),
    routed: Collection[int] = (),
) -> list[Wish]:
    """Read port bindings. families: in which the container can be reached, 4 and 6; routed: in
    which of them it is reached at its own address.

    Raises InvalidParameter naming the binding, NotSupported.
    """

    def is_routed(address: str) -> bool:
        return address != LOOPBACK_IPV6 and _family(address) in routed

    wanted = []
    for port, sides in bindings.items():
        number, _, protocol = port.partition("/")
        protocol = protocol or "tcp"
        if protocol not in _KINDS:
            raise NotSupported(f"cannot publish port {port}: only tcp, udp and sctp are supported")
        if not number.isdecimal() or not 0 < int(number) < 65536:
            raise InvalidParameter(f"invalid container port {port!r}: 1 to 65535 is needed")
        relayed = LOOPBACK_IPV6 if protocol == "tcp" else ""
        for side in _sides(port, sides, families, relayed):
            if side.host_ip:
                addresses: tuple[str, ...] = (_address(side.host_ip, port, relayed),)
            elif default_address != ANY and 4 in families:
                addresses = (default_address,)
            else:
                addresses = tuple(text for text in (ANY, ANY_IPV6) if _family(text) in families)
            wanted.append(
                Wish(
                    f"{number}/{protocol}",
                    protocol,
                    tuple(text for text in addresses if not is_routed(text)),
                    _candidates(side.host_port, port),
                    tuple(_opened(text, port) for text in addresses if is_routed(text)),
                )
            )
    return wanted


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def _opened(address: str, port: str) -> str:
    if address not in (ANY, ANY_IPV6):
        raise InvalidParameter(
            f"cannot publish port {port} on {address}: the container's network is routed, so its "
            "ports are reached at its own address; leave the host address out"
        )
    return address


def _sides(
    port: str, sides: list[PortBinding], families: Collection[int], relayed: str
) -> Iterator[PortBinding]:
    """Leave out an "anywhere" of one family beside a side that means it, too, or that serves in
    its place: clients send both. relayed: an address that leads to either family."""
    sides = sides or [PortBinding()]
    for side in sides:
        others = {other.host_ip for other in sides if other.host_port == side.host_port}
        others -= {side.host_ip}
        lacking = side.host_ip not in ("", relayed) and _family(side.host_ip) not in families
        if side.host_ip in (ANY, ANY_IPV6) and (
            "" in others or (lacking and others & {ANY, ANY_IPV6})
        ):
            continue
        if lacking:
            family = f"IPv{_family(side.host_ip)}"
            raise NotSupported(
                f"cannot publish port {port} on {side.host_ip}: the container has no {family}; "
                f"leave the host address out, or connect it to a network with {family}"
            )
        yield side


def _address(text: str, port: str, relayed: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InvalidParameter(
            f"invalid host address {text!r} for port {port}: an IPv4 or IPv6 address is needed"
        ) from None
    if str(address) == relayed:
        return relayed
    if address.version == 6 and (address.is_loopback or address.is_link_local):
        raise NotSupported(
            f"cannot publish port {port} on {text}: the kernel does not translate addresses of "
            "this kind; publish on 127.0.0.1 or another address of the host"
        )
    return str(address)


def _candidates(text: str, port: str) -> range:
    first, dash, last = (text or "0").partition("-")
    last = last if dash else first
    if first.isdecimal() and last.isdecimal() and int(first) <= int(last) < 65536:
        return range(int(first), int(last) + 1)
    raise InvalidParameter(
        f"invalid host port {text!r} for port {port}: a number up to 65535 or a range such as "
        "8000-8010 is needed"
    )


class Ports:
    """The host ports that this daemon's containers hold.

    Traffic never reaches the sockets (it is translated before); they make the kernel refuse the
    port to everybody else, and choose free ones.
    """

    def __init__(self) -> None:
        self._claims: list[Claim] = []

    def claim(
        self, container_id: str, name: str, wanted: Iterable[Wish]
    ) -> dict[str, list[PortBinding]]:
        """Take all or none; return the real host sides of each container port.

        Raises Conflict naming the port and who has it, InvalidParameter for an address that is not
        the host's.
        """
        sides: dict[str, list[PortBinding]] = {}
        try:
            for wish in wanted:
                for claim in self._claim(container_id, name, wish):
                    self._claims.append(claim)
                    side = PortBinding(host_ip=claim.address, host_port=str(claim.port))
                    sides.setdefault(wish.port, []).append(side)
                for address in wish.opened:
                    sides.setdefault(wish.port, []).append(PortBinding(host_ip=address))
        except BaseException:
            self.release(container_id)
            raise
        return sides

    def on_ipv6_loopback(self, container_id: str) -> list[Claim]:
        """Of a container's TCP ports those that a client of ``::1`` asks for."""
        return [
            claim
            for claim in self._claims
            if claim.container_id == container_id
            and claim.protocol == "tcp"
            and claim.address in (ANY_IPV6, LOOPBACK_IPV6)
        ]

    def release(self, container_id: str) -> None:
        """Give back all ports of a container. Idempotent."""
        for claim in [claim for claim in self._claims if claim.container_id == container_id]:
            claim.socket.close()
            self._claims.remove(claim)

    def close(self) -> None:
        """Give back everything."""
        for claim in self._claims:
            claim.socket.close()
        self._claims.clear()

    def _claim(self, container_id: str, name: str, wish: Wish) -> list[Claim]:
        if not wish.addresses:
            return []
        for port in wish.attempts:
            bound = _bind_all(wish, port)
            if bound is not None:
                return [
                    Claim(
                        container_id,
                        name,
                        wish.protocol,
                        address,
                        one.getsockname()[1],
                        int(wish.port.partition("/")[0]),
                        one,
                    )
                    for address, one in zip(wish.addresses, bound, strict=True)
                ]
        raise Conflict(self._refusal(name, wish))

    def _refusal(self, name: str, wish: Wish) -> str:
        first, last = wish.candidates[0], wish.candidates[-1]
        host_port = f"{first}" if first == last else f"{first}-{last}"
        holder = next(
            (
                f"container {claim.name!r} has it; stop that container"
                for claim in self._claims
                if claim.protocol == wish.protocol
                and claim.port in wish.candidates
                and any(_clash(claim.address, address) for address in wish.addresses)
            ),
            "another process on the host has it; stop that process",
        )
        return (
            f"driver failed programming external connectivity on endpoint {name}: Bind for "
            f"{wish.addresses[0]}:{host_port} failed: port is already allocated: {wish.port} "
            f"cannot be published, {holder} or choose another host port"
        )


def held(sides: Bindings) -> Bindings:
    """Those real host sides that take a port of the host's: without the opened ones."""
    taken = {port: [side for side in row if side.host_port] for port, row in sides.items()}
    return {port: row for port, row in taken.items() if row}


def _clash(one: str, other: str) -> bool:
    """Whether a port can be bound on one of the addresses only."""
    return one == other or (
        (":" in one) == (":" in other) and {one, other} & {ANY, ANY_IPV6} != set()
    )


def _bind_all(wish: Wish, port: int) -> list[socket.socket] | None:
    """Sockets bound to the same port on each address, None when somebody has it on one."""
    bound: list[socket.socket] = []
    try:
        for address in wish.addresses:
            one = _bind(wish, address, port)
            if one is None:
                break
            bound.append(one)
            port = one.getsockname()[1]
        if len(bound) == len(wish.addresses):
            return bound
    except BaseException:
        _close(bound)
        raise
    _close(bound)
    return None


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _open(wish: Wish, address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind, protocol = _KINDS[wish.protocol]
    try:
        opened = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        if error.errno not in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EAFNOSUPPORT):
            raise
        lacking = "IPv6" if error.errno == errno.EAFNOSUPPORT else wish.protocol.upper()
        raise NotSupported(
            f"cannot publish port {wish.port} on {address}: the host's kernel has no {lacking}; "
            "load its module, or leave the port out"
        ) from None
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return opened


def _bind(wish: Wish, address: str, port: int) -> socket.socket | None:
    """Return a socket bound to the port, None when somebody has it."""
    for reuse in (False, True):
        bound = _open(wish, address)
        try:
            if reuse:
                # Connections in TIME_WAIT of a server that has ended forbid a plain bind. With
                # SO_REUSEADDR only listening keeps others from the port.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((address, port))
            if reuse:
                bound.listen(1)
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise InvalidParameter(
                    f"cannot publish port {wish.port} on {address}: cannot assign requested "
                    "address: no interface of this host has it; choose one of its addresses"
                ) from None
            if error.errno != errno.EADDRINUSE:
                raise
            if wish.protocol == "udp":
                return None
        else:
            return bound
    return None
