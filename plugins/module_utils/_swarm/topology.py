# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What swarms there are to be, and who is what in them: the declared side, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._swarm.options import FIXED, SETTINGS

_HOSTS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "id": {"type": "str"},
    "managers": _HOSTS,
    "workers": _HOSTS,
    **{row.name: {**row.spec, "default": None} for row in (*FIXED, *SETTINGS)},
}
"""One swarm of ``davit_swarm_topology``."""

LOCAL = ("labels", "availability", "advertise_addr", "data_path_addr", "listen_addr")
"""What a host declares of itself, as variables ``davit_swarm_…``."""

ROTATIONS = ("worker_token", "manager_token", "unlock_key", "ca")

SWARM_MARK = "net.davit.swarm"
"""Label of a swarm: its name in the topology."""
HOST_MARK = "net.davit.host"
"""Label of a node: its host's name in the inventory. Host names of machines may repeat."""


@dataclass(frozen=True)
class Swarm:
    """A declared swarm. settings: options of the module ``swarm`` that are given."""

    name: str
    present: bool
    managers: tuple[str, ...]
    workers: tuple[str, ...]
    id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        return (*self.managers, *self.workers)


@dataclass(frozen=True)
class Wishes:
    """What is asked for besides the topology.

    dead: hosts, node IDs or host names of nodes that will not come back. take_over: hosts that may
    give up a membership which the topology does not know. rotate: of ROTATIONS. keys: names of the
    swarms whose unlock key is given. recover: managers from which a swarm that has lost its quorum
    begins anew.
    """

    dead: tuple[str, ...] = ()
    take_over: tuple[str, ...] = ()
    rotate: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    recover: tuple[str, ...] = ()


def declared(given: list[dict[str, Any]], known: set[str]) -> list[Swarm]:
    """given: validated by ARGUMENTS. known: hosts of the inventory. Raises Invalid."""
    swarms = [_swarm(item) for item in given]
    names = [swarm.name for swarm in swarms]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"davit_swarm_topology: there are two swarms named {name}")
    _check_hosts([swarm for swarm in swarms if swarm.present])
    for swarm in swarms:
        for host in swarm.hosts:
            if host not in known:
                raise Invalid(f"swarm {swarm.name}: host {host} is not in the inventory")
    return swarms


def check_local(host: str, local: dict[str, Any]) -> None:
    """Raises Invalid. local: by the names of LOCAL, None for what is not given."""
    if local.get("availability") not in (None, "active", "pause", "drain"):
        raise Invalid(
            f"host {host}: davit_swarm_availability is {local['availability']!r}, not active, "
            "pause or drain"
        )
    if not isinstance(local.get("labels") or {}, dict):
        raise Invalid(f"host {host}: davit_swarm_labels is no dictionary")


def _swarm(item: dict[str, Any]) -> Swarm:
    rows = (*FIXED, *SETTINGS)
    settings = {row.name: item[row.name] for row in rows if item.get(row.name) is not None}
    for row in rows:
        row.wire(settings)  # Raises Invalid for what is no duration.
    swarm = Swarm(
        name=item["name"],
        present=item.get("state", "present") == "present",
        managers=tuple(item.get("managers") or ()),
        workers=tuple(item.get("workers") or ()),
        id=item.get("id") or "",
        settings=settings,
    )
    if swarm.present and not swarm.managers:
        raise Invalid(
            f"swarm {swarm.name}: it has no managers; to end it, keep its hosts listed and set "
            "state: absent"
        )
    return swarm


def _check_hosts(swarms: list[Swarm]) -> None:
    """Only those that are to be: a host may be listed in swarms that end, too."""
    places: dict[str, str] = {}
    for swarm in swarms:
        for role, hosts in (("manager", swarm.managers), ("worker", swarm.workers)):
            for host in hosts:
                place = f"{role} of {swarm.name}"
                if host in places:
                    raise Invalid(f"host {host} is declared twice: {places[host]}, {place}")
                places[host] = place
