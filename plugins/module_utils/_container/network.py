# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: ports, name servers, and the networks a container is on (these are joined live)."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field

_PUBLISHED = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|\d+(?:\.\d+){3}):)?(?:(?P<host>\d+(?:-\d+)?)?:)?"
    r"(?P<port>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?\Z"
)

# What an entry of ``networks`` may say.
ENDPOINT = ("name", "aliases", "ipv4_address", "ipv6_address")


def published(values: list[str]) -> dict[str, list[dict[str, str]]]:
    """``[ADDRESS:][HOST:]PORT[/PROTOCOL]`` with ranges → ``PortBindings``. Raises Invalid."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for value in values:
        match = _PUBLISHED.match(value)
        if not match:
            raise Invalid(
                f"published_ports: {value!r} is not [ADDRESS:][HOST_PORT:]PORT[/tcp|udp|sctp]"
            )
        ports = _span(match.group("port"))
        hosts = match.group("host") or ""
        many = _span(hosts) if hosts else []
        # A range for one port is a choice for the engine; a range for a range goes port by port.
        paired = len(ports) > 1 and bool(hosts)
        if paired and len(many) != len(ports):
            raise Invalid(f"published_ports: {value!r} has ranges of different length")
        for index, port in enumerate(ports):
            side = {
                "HostIp": (match.group("ip") or "").strip("[]"),
                "HostPort": str(many[index]) if paired else hosts,
            }
            bindings.setdefault(f"{port}/{match.group('protocol') or 'tcp'}", []).append(side)
    return bindings


def exposed(values: list[str]) -> dict[str, dict[str, Any]]:
    """``80``, ``53/udp``, ``8000-8002`` → ``ExposedPorts``."""
    result: dict[str, dict[str, Any]] = {}
    for value in values:
        ports, _sep, protocol = str(value).partition("/")
        result.update({f"{port}/{protocol or 'tcp'}": {} for port in _span(ports)})
    return result


def endpoint_settings(item: dict[str, Any]) -> dict[str, Any]:
    """What the API wants to know of an endpoint."""
    settings: dict[str, Any] = {}
    if item.get("aliases"):
        settings["Aliases"] = list(item["aliases"])
    ipam = {
        key: item[option]
        for key, option in (("IPv4Address", "ipv4_address"), ("IPv6Address", "ipv6_address"))
        if item.get(option)
    }
    if ipam:
        settings["IPAMConfig"] = ipam
    return settings


def fits(item: dict[str, Any], shown: dict[str, Any], own: set[str]) -> bool:
    """Whether a container's endpoint is as wanted. own: names the engine adds as aliases."""
    ipam = shown.get("IPAMConfig") or {}
    addresses = (
        (item.get("ipv4_address"), ipam.get("IPv4Address")),
        (item.get("ipv6_address"), ipam.get("IPv6Address")),
    )
    if any((wanted or "") != (actual or "") for wanted, actual in addresses):
        return False
    aliases = set(item.get("aliases") or [])
    actual = set(shown.get("Aliases") or [])
    return aliases <= actual and actual - aliases <= own


def _span(text: str) -> list[int]:
    first, _sep, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _bindings(value: dict[str, list[dict[str, str]]] | None) -> list[tuple[str, str, str]]:
    return sorted(
        (port, side.get("HostIp") or "0.0.0.0", side.get("HostPort") or "")
        for port, sides in (value or {}).items()
        for side in sides or []
    )


def _hosts(value: dict[str, str]) -> list[str]:
    return [f"{name}:{address}" for name, address in value.items()]


def _list(name: str, path: str) -> Field:
    return Field(
        name, {"type": "list", "elements": "str"}, path, canon=lambda value: list(value or [])
    )


ROWS = [
    Field(
        "network_mode",
        {"type": "str"},
        "HostConfig.NetworkMode",
        canon=lambda value: "bridge" if value in (None, "", "default") else value,
        default="default",
    ),
    Field(
        "published_ports",
        {"type": "list", "elements": "str"},
        "HostConfig.PortBindings",
        encode=published,
        canon=_bindings,
    ),
    Field(
        "publish_all_ports",
        {"type": "bool"},
        "HostConfig.PublishAllPorts",
        canon=bool,
        default=False,
    ),
    Field(
        "exposed_ports",
        {"type": "list", "elements": "str"},
        "ExposedPorts",
        encode=exposed,
        entries=True,
        from_image=lambda image: image.get("ExposedPorts"),
    ),
    _list("dns_servers", "HostConfig.Dns"),
    _list("dns_search_domains", "HostConfig.DnsSearch"),
    _list("dns_opts", "HostConfig.DnsOptions"),
    Field(
        "etc_hosts",
        {"type": "dict"},
        "HostConfig.ExtraHosts",
        encode=_hosts,
        canon=lambda value: sorted(value or []),
    ),
]
