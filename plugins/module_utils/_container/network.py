# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: ports, name servers, and the networks a container is on (these are joined live)."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field, Version

_PUBLISHED = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|\d+(?:\.\d+){3}):)?(?:(?P<host>\d+(?:-\d+)?)?:)?"
    r"(?P<port>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?\Z"
)

# What an entry of ``networks`` may say, and the API that knows it.
ENDPOINT: dict[str, Version] = {
    "name": (1, 24),
    "aliases": (1, 24),
    "ipv4_address": (1, 24),
    "ipv6_address": (1, 24),
    "link_local_ips": (1, 24),
    "mac_address": (1, 44),
    "gw_priority": (1, 48),
    "driver_opts": (1, 32),
}
_ADDRESSES = {
    "ipv4_address": "IPv4Address",
    "ipv6_address": "IPv6Address",
    "link_local_ips": "LinkLocalIPs",
}
_KIND_NAMES = {list: "list", dict: "dictionary", int: "whole number"}


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
    ipam = {key: item[option] for option, key in _ADDRESSES.items() if item.get(option)}
    if ipam:
        settings["IPAMConfig"] = ipam
    if item.get("mac_address"):
        settings["MacAddress"] = item["mac_address"]
    if item.get("gw_priority"):
        settings["GwPriority"] = item["gw_priority"]
    if item.get("driver_opts"):
        settings["DriverOpts"] = {key: str(text) for key, text in item["driver_opts"].items()}
    return settings


def fits(item: dict[str, Any], shown: dict[str, Any], own: set[str]) -> bool:
    """Whether a container's endpoint is as wanted. own: names the engine adds as aliases."""
    wanted = endpoint_settings(item)
    for key, empty in (("IPAMConfig", {}), ("GwPriority", 0), ("DriverOpts", {})):
        if _set(wanted.get(key, empty)) != _set(shown.get(key) or empty):
            return False
    # One that nobody asked for is the engine's choice, and a stopped container shows none.
    mac = wanted.get("MacAddress", "").lower()
    if mac and shown.get("MacAddress") and shown["MacAddress"].lower() != mac:
        return False
    aliases = set(item.get("aliases") or [])
    actual = set(shown.get("Aliases") or [])
    return aliases <= actual and actual - aliases <= own


def check(item: dict[str, Any]) -> str:
    """Name what has another type than the API's, empty when nothing has."""
    kinds = {"aliases": list, "link_local_ips": list, "driver_opts": dict, "gw_priority": int}
    for name, kind in kinds.items():
        value = item.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            return f"{name}: {value!r} is no {_KIND_NAMES[kind]}"
    return ""


def _set(value: Any) -> Any:
    """A map without what is empty."""
    return {key: item for key, item in value.items() if item} if isinstance(value, dict) else value


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


def _links(value: list[str] | None) -> list[str]:
    """``db:store``; inspect shows it as ``/db:/web/store``."""
    pairs = (item.partition(":") for item in value or [])
    return sorted(
        f"{name.lstrip('/')}:{(alias or name).rpartition('/')[2]}" for name, _sep, alias in pairs
    )


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
    Field("links", {"type": "list", "elements": "str"}, "HostConfig.Links", canon=_links),
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
