"""Host ports: which are asked for (pure), and holding them so that nobody else takes them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from davit.errors import Conflict, InvalidParameter, NotSupported
from davit.model.config import PortBinding

ANY = "0.0.0.0"
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

Bindings = Mapping[str, list[PortBinding]]


@dataclass(frozen=True)
class Wish:
    """One host side of a published port.

    port: the container's, ``80/tcp``; candidates: host ports, the first free one is taken;
    ``range(1)`` (port 0) lets the kernel choose from ``net.ipv4.ip_local_port_range``.
    """

    port: str
    protocol: str
    address: str
    candidates: range


@dataclass(frozen=True)
class Claim:
    """A host port that a container holds. socket: bound to it."""

    container_id: str
    name: str
    protocol: str
    address: str
    port: int
    socket: socket.socket


def wishes(bindings: Bindings, default_address: str = ANY) -> list[Wish]:
    """Read port bindings. Raises InvalidParameter naming the binding, NotSupported."""
    wanted = []
    for port, sides in bindings.items():
        number, _, protocol = port.partition("/")
        protocol = protocol or "tcp"
        if protocol not in _KINDS:
            raise NotSupported(f"cannot publish port {port}: only tcp and udp are supported")
        if not number.isdecimal() or not 0 < int(number) < 65536:
            raise InvalidParameter(f"invalid container port {port!r}: 1 to 65535 is needed")
        for side in _ipv4_sides(port, sides):
            address = _address(side.host_ip, port, default_address)
            candidates = _candidates(side.host_port, port)
            wanted.append(Wish(f"{number}/{protocol}", protocol, address, candidates))
    return wanted


def _ipv4_sides(port: str, sides: list[PortBinding]) -> list[PortBinding]:
    """Leave out ``::`` beside an IPv4 side with the same port: clients send both for "anywhere"."""
    ipv4 = [side for side in sides or [PortBinding()] if ":" not in side.host_ip]
    covered = {side.host_port for side in ipv4}
    for side in sides:
        if ":" in side.host_ip and not (side.host_ip == "::" and side.host_port in covered):
            raise NotSupported(
                f"cannot publish port {port} on {side.host_ip}: publishing on IPv6 addresses is "
                "not supported yet; leave the host address out or give an IPv4 address"
            )
    return ipv4


def _address(text: str, port: str, default: str) -> str:
    try:
        return str(IPv4Address(text or default))
    except AddressValueError:
        raise InvalidParameter(
            f"invalid host address {text!r} for port {port}: an IPv4 address is needed"
        ) from None


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
                claim = self._claim(container_id, name, wish)
                self._claims.append(claim)
                side = PortBinding(host_ip=claim.address, host_port=str(claim.port))
                sides.setdefault(wish.port, []).append(side)
        except BaseException:
            self.release(container_id)
            raise
        return sides

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

    def _claim(self, container_id: str, name: str, wish: Wish) -> Claim:
        for port in wish.candidates:
            bound = _bind(wish, port)
            if bound is not None:
                port = bound.getsockname()[1]
                return Claim(container_id, name, wish.protocol, wish.address, port, bound)
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
                and (claim.address == wish.address or ANY in (claim.address, wish.address))
            ),
            "another process on the host has it; stop that process",
        )
        return (
            f"driver failed programming external connectivity on endpoint {name}: Bind for "
            f"{wish.address}:{host_port} failed: port is already allocated: {wish.port} cannot be "
            f"published, {holder} or choose another host port"
        )


def _bind(wish: Wish, port: int) -> socket.socket | None:
    """Return a socket bound to the port, None when somebody has it."""
    for reuse in (False, True):
        bound = socket.socket(socket.AF_INET, _KINDS[wish.protocol] | socket.SOCK_CLOEXEC)
        try:
            if reuse:
                # Connections in TIME_WAIT of a server that has ended forbid a plain bind. With
                # SO_REUSEADDR only listening keeps others from the port.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((wish.address, port))
            if reuse:
                bound.listen(1)
        except OSError as error:
            bound.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise InvalidParameter(
                    f"cannot publish port {wish.port} on {wish.address}: cannot assign requested "
                    "address: no interface of this host has it; choose one of its addresses"
                ) from None
            if error.errno != errno.EADDRINUSE:
                raise
            if wish.protocol != "tcp":
                return None
        else:
            return bound
    return None
