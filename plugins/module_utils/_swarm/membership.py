# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What swarms there are, and who is what in them: the facts of all hosts, put together."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import nodes as _nodes
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import host as bare
from ansible_collections.davit.fleet.plugins.module_utils._swarm.topology import (
    HOST_MARK,
    SWARM_MARK,
    Swarm,
)


@dataclass(frozen=True)
class Host:
    """A host of the inventory.

    facts: what ``swarm_info`` returns with the nodes, None when the host or its engine does not
    answer; problem: why not. local: what it declares of itself, by the names of topology.LOCAL.
    """

    name: str
    facts: dict[str, Any] | None = None
    problem: str = ""
    local: dict[str, Any] = field(default_factory=dict)

    @property
    def node(self) -> dict[str, Any]:
        return (self.facts or {}).get("node") or {"state": "inactive"}

    @property
    def id(self) -> str:
        return self.node.get("id") or ""

    @property
    def state(self) -> str:
        return str(self.node["state"])

    @property
    def is_davit(self) -> bool:
        return bool(self.node.get("engine") == "davit")

    @property
    def cluster(self) -> dict[str, Any] | None:
        return (self.facts or {}).get("cluster")

    @property
    def leaderless(self) -> bool:
        """A manager, but of a swarm that cannot decide."""
        state = self.state in ("active", "pending")
        return state and self.node["role"] == "manager" and not self.cluster

    @property
    def manager_addresses(self) -> set[str]:
        return {bare(item["address"]) for item in self.node.get("managers") or []}


class Live:
    """A swarm that runs, and what becomes of it as the plan grows.

    nodes: as the engine lists them; new ones have an ID made of their host's name.
    """

    def __init__(self, name: str, cluster: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
        self.name = name
        self.cluster = cluster
        self.nodes = copy.deepcopy(nodes)
        self.hosts: dict[str, str] = {}  # node ID → host

    def find(self, host: str) -> dict[str, Any] | None:
        """The node that a host is."""
        for node in self.nodes:
            if self.hosts.get(node["ID"]) == host:
                return node
        return None

    def is_new(self, host: str) -> bool:
        """Whether the plan has it join."""
        node = self.find(host)
        return node is not None and node["ID"] == _new(host)

    def add(self, host: str, role: str, availability: str) -> None:
        node: dict[str, Any] = {
            "ID": _new(host),
            "Spec": {"Role": role, "Availability": availability, "Labels": {}},
            "Status": {"State": "ready"},
        }
        self.nodes.append(node)
        self.hosts[node["ID"]] = host
        if role == "manager":
            self.promote(node)

    def promote(self, node: dict[str, Any]) -> None:
        node["Spec"]["Role"] = "manager"
        node["ManagerStatus"] = {"Reachability": "reachable"}

    def demote(self, node: dict[str, Any], what: str) -> None:
        """Raises FleetError when the others could not decide then. what: begins its message."""
        _nodes.check_quorum(self.nodes, node["ID"], what)
        node["Spec"]["Role"] = "worker"
        node.pop("ManagerStatus", None)

    def remove(self, node: dict[str, Any], what: str) -> None:
        if is_manager(node):
            self.demote(node, what)
        self.nodes.remove(node)

    def check_growth(self, what: str) -> None:
        """Raises FleetError when one manager more would leave too few that can be reached."""
        managers = [node for node in self.nodes if is_manager(node)]
        reachable = [node for node in managers if is_reachable(node)]
        needed = (len(managers) + 1) // 2 + 1
        if len(reachable) + 1 < needed:
            raise FleetError(
                f"{what}: of the swarm's {len(managers)} managers {len(reachable)} can be "
                f"reached; with one more of them, {needed} are needed; bring one back, or name "
                "those that are gone for good in davit_swarm_dead"
            )


def _new(host: str) -> str:
    return f"(new: {host})"


def is_manager(node: dict[str, Any]) -> bool:
    return bool(node.get("ManagerStatus"))


def is_reachable(node: dict[str, Any]) -> bool:
    return bool((node.get("ManagerStatus") or {}).get("Reachability") == "reachable")


def is_leader(node: dict[str, Any]) -> bool:
    return bool((node.get("ManagerStatus") or {}).get("Leader"))


def state(node: dict[str, Any]) -> str:
    return str((node.get("Status") or {}).get("State") or "unknown")


def mark(node: dict[str, Any]) -> str:
    """The host that a node was made on."""
    return str((node["Spec"].get("Labels") or {}).get(HOST_MARK) or "")


def title(node: dict[str, Any]) -> str:
    return mark(node) or _nodes.hostname(node) or str(node["ID"])


def running(hosts: dict[str, Host], given_up: tuple[str, ...] = ()) -> dict[str, Live]:
    """The swarms whose managers answer and can decide, by ID.

    given_up: hosts whose word counts only where nobody else tells of that swarm. Raises FleetError
    for a swarm that is two: begun anew from one manager, while others could still decide.
    """
    found: dict[str, Live] = {}
    tellers: dict[str, str] = {}
    for host in sorted(hosts.values(), key=lambda host: (host.name in given_up, host.name)):
        if not host.cluster or not host.facts:
            continue
        nodes, identity = host.facts.get("nodes") or [], host.cluster["ID"]
        if identity not in found:
            found[identity] = Live("", host.cluster, nodes)
            tellers[identity] = host.name
        elif not _agree(found[identity].nodes, nodes) and host.name not in given_up:
            raise FleetError(
                f"the swarm {identity} is two now: {tellers[identity]} and {host.name} obey "
                "different leaders, and know nothing of each other's; name the managers of the "
                "one that is to end in davit_swarm_take_over"
            )
    for live in found.values():
        ids = {host.id: host for host in hosts.values() if host.id}
        live.hosts = {
            node["ID"]: ids[node["ID"]].name
            for node in live.nodes
            if node["ID"] in ids and not _is_outvoted(node, ids[node["ID"]])
        }
    return found


def _agree(ones: list[dict[str, Any]], others: list[dict[str, Any]]) -> bool:
    """Whether two lists of nodes are of one swarm: each has the other's leader as a manager."""
    return all(
        node["ID"] in {other["ID"] for other in there if is_manager(other)}
        for here, there in ((ones, others), (others, ones))
        for node in here
        if is_leader(node)
    )


def _is_outvoted(node: dict[str, Any], host: Host) -> bool:
    """Whether a host takes itself for a manager of a swarm that has begun anew without it."""
    claims = host.leaderless or bool(host.cluster)
    return claims and node["Spec"]["Role"] == "manager" and not is_manager(node)


def match(swarm: Swarm, found: dict[str, Live], hosts: dict[str, Host]) -> Live | None:
    """The running swarm that a declared one is; None for one that is yet to begin.

    By its ID where that is declared, else by its mark, else by its managers, which must agree.
    Raises FleetError.
    """
    if swarm.id:
        return found.get(swarm.id)
    marked = [live for live in found.values() if marked_as(live) == swarm.name]
    if not marked:
        ours = {(hosts[name].cluster or {}).get("ID") for name in swarm.managers}
        marked = [live for key, live in found.items() if key in ours and not marked_as(live)]
    if len(marked) > 1:
        ids = ", ".join(sorted(live.cluster["ID"] for live in marked))
        raise FleetError(
            f"swarm {swarm.name}: its hosts are in several swarms ({ids}); tell by id which is "
            "the one, and let the others' hosts leave (davit_swarm_take_over)"
        )
    return marked[0] if marked else None


def marked_as(live: Live) -> str:
    return str((live.cluster["Spec"].get("Labels") or {}).get(SWARM_MARK) or "")


def of(host: Host, found: dict[str, Live]) -> Live | None:
    """The running swarm that lists a host among its nodes."""
    for live in found.values():
        if host.id and host.name in live.hosts.values():
            return live
    return None


def is_orphan(host: Host, found: dict[str, Live]) -> bool:
    """Whether a host's membership is worth nothing, given that no running swarm lists it.

    A manager tells which swarm it was of. A worker only knows where managers were; when all of
    them are managers of a swarm that does not list it, it was removed there, or its own is gone.
    """
    if host.cluster:
        return host.cluster["ID"] in found
    addresses = {
        bare(node["ManagerStatus"].get("Addr", ""))
        for live in found.values()
        for node in live.nodes
        if is_manager(node)
    }
    known = host.manager_addresses
    return not host.leaderless and bool(known) and known <= addresses
