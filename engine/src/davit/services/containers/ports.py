"""Pure: ports as a request writes them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from davit.errors import InvalidParameter
from davit.model.config import PortBinding

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?\Z")
# Several ports are a choice: one that is free is taken.
_HOST_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z")
_PROTOCOLS = ("tcp", "udp", "sctp")


def parse(text: str) -> list[str]:
    """Return ``port/protocol`` for each port of ``80``, ``80/udp`` or ``8000-8003/tcp``.

    Raises InvalidParameter.
    """
    match = _PORT.match(text)
    if match is None:
        raise InvalidParameter(f"invalid port specification: {text!r}: use PORT/PROTOCOL")
    first, last, protocol = match.groups()
    protocol = (protocol or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise InvalidParameter(f"invalid proto: {protocol} in {text!r}: use tcp, udp or sctp")
    start, end = int(first), int(last or first)
    if not 0 < start <= end <= 65535:
        raise InvalidParameter(f"invalid containerPort: {text}: ports are 1 to 65535")
    return [f"{port}/{protocol}" for port in range(start, end + 1)]


def expand(texts: Iterable[str]) -> list[str]:
    """All ports of several specifications, each once, in order."""
    return list(dict.fromkeys(port for text in texts for port in parse(text)))


def bindings(
    asked: Mapping[str, list[PortBinding]], exposed: Iterable[str], *, publish_all: bool
) -> dict[str, list[PortBinding]]:
    """Return every published port with its host sides.

    publish_all: exposed ports without a binding get a free host port. Raises InvalidParameter.
    """
    result: dict[str, list[PortBinding]] = {}
    for text, sides in asked.items():
        ports = parse(text)
        if len(ports) > 1:
            raise InvalidParameter(f"invalid port specification: {text!r}: name one port each")
        for side in sides:
            _check_host_side(side)
        result[ports[0]] = result.get(ports[0], []) + (sides or [PortBinding()])
    if publish_all:
        for port in expand(exposed):
            result.setdefault(port, [PortBinding()])
    return result


def _check_host_side(side: PortBinding) -> None:
    if side.host_ip:
        try:
            ipaddress.ip_address(side.host_ip)
        except ValueError:
            raise InvalidParameter(f"invalid IP address: {side.host_ip}") from None
    if not side.host_port:
        return
    match = _HOST_PORT.match(side.host_port)
    if match is None:
        raise InvalidParameter(f"invalid hostPort: {side.host_port!r}: use PORT or FIRST-LAST")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= 65535:
        raise InvalidParameter(f"invalid hostPort: {side.host_port}: ports are 1 to 65535")
