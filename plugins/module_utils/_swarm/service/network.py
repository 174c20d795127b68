# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: networks, ports and names."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container.identity import texts
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.files import items
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.rows import (
    CONTAINER,
    TASK,
    row,
    shared,
)

KNOWN = ("name", "aliases", "driver_opts")


def _networks(value: list[Any]) -> list[dict[str, Any]]:
    made = []
    for item in items("networks", value, "name", KNOWN):
        network: dict[str, Any] = {"Target": str(item["name"])}
        if item.get("aliases"):
            network["Aliases"] = [str(alias) for alias in item["aliases"]]
        if item.get("driver_opts"):
            network["DriverOpts"] = texts(item["driver_opts"])
        made.append(network)
    return made


def _network_set(value: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    shown = [
        {
            "name": item["Target"],
            "aliases": sorted(item.get("Aliases") or []),
            "driver_opts": item.get("DriverOpts") or {},
        }
        for item in value or []
    ]
    return sorted(shown, key=lambda item: str(item["name"]))


def _ports(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for item in value:
        port = {
            "Protocol": item.get("protocol") or "tcp",
            "TargetPort": item["target_port"],
            "PublishMode": item.get("mode") or "ingress",
        }
        if item.get("published_port"):
            port["PublishedPort"] = item["published_port"]
        made.append(port)
    return made


def _port_set(value: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    shown = [
        {
            "target_port": item["TargetPort"],
            "published_port": item.get("PublishedPort") or 0,
            "protocol": item.get("Protocol") or "tcp",
            "mode": item.get("PublishMode") or "ingress",
        }
        for item in value or []
    ]
    return sorted(shown, key=lambda item: tuple(map(str, item.values())))


def _hosts(value: dict[str, str]) -> list[str]:
    """As in /etc/hosts, unlike a container's."""
    return [f"{address} {name}" for name, address in value.items()]


def _host_set(value: list[str] | None) -> list[str]:
    lines = (line.split() for line in value or [])
    return sorted(f"{words[0]} {name}" for words in lines for name in words[1:])


_PORT: dict[str, dict[str, Any]] = {
    "target_port": {"type": "int", "required": True},
    "published_port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["sctp", "tcp", "udp"], "default": "tcp"},
    "mode": {"type": "str", "choices": ["host", "ingress"], "default": "ingress"},
}

ROWS = [
    row("networks", "list/raw", f"{TASK}.Networks", encode=_networks, canon=_network_set),
    Field(
        "published_ports",
        {"type": "list", "elements": "dict", "options": _PORT},
        "EndpointSpec.Ports",
        encode=_ports,
        canon=_port_set,
        live=lambda value: True,
    ),
    Field(
        "endpoint_mode",
        {"type": "str", "choices": ["dnsrr", "vip"]},
        "EndpointSpec.Mode",
        canon=lambda value: value or "vip",
        live=lambda value: True,
    ),
    shared("dns_servers", f"{CONTAINER}.DNSConfig.Nameservers"),
    shared("dns_search_domains", f"{CONTAINER}.DNSConfig.Search"),
    shared("dns_opts", f"{CONTAINER}.DNSConfig.Options"),
    shared("etc_hosts", f"{CONTAINER}.Hosts", encode=_hosts, canon=_host_set),
]
