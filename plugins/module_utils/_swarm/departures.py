# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Who goes: demotions, leaving hosts, nodes of the dead, and swarms that end. Steps of a plan.

Who goes gives up its tasks first, then its vote, then its membership; then its node is removed.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import membership
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import host as bare
from ansible_collections.davit.fleet.plugins.module_utils._swarm.membership import Host, Live
from ansible_collections.davit.fleet.plugins.module_utils._swarm.nodes import hostname
from ansible_collections.davit.fleet.plugins.module_utils._swarm.steps import Plan, Step
from ansible_collections.davit.fleet.plugins.module_utils._swarm.topology import Swarm

_GONE = {"state": "absent"}


def bury(
    plan: Plan, live: Live, hosts: dict[str, Host], dead: tuple[str, ...], lost: list[str]
) -> None:
    """Remove nodes of the dead, and former lives of hosts that have another node now.

    lost: hosts that are about to give up what they are.
    """
    former = {hosts[name].id for name in lost}
    for node in list(live.nodes):
        owner = membership.mark(node)
        past = membership.state(node) == "down" and owner in hosts and _answers(hosts, owner)
        named = any(_is(node, name, hosts) for name in dead)
        outvoted = node["ID"] in former
        if node["ID"] in live.hosts or not (past or named or outvoted):
            continue
        who = membership.title(node)
        if named and (membership.state(node) == "ready" or membership.is_reachable(node)):
            raise FleetError(
                f"swarm {live.name}: {who} is named in davit_swarm_dead, but its managers "
                f"still reach the node {node['ID']}; stop its engine, or wait until they have "
                "noticed"
            )
        live.remove(node, f"swarm {live.name}: the dead {who} cannot be removed")
        plan.add(
            _remove(live, node, _manager(live, hosts), "it is dead" if named else "it is past")
        )


def give_up(plan: Plan, lost: list[str], hosts: dict[str, Host], found: dict[str, Live]) -> None:
    """Let hosts leave swarms that are not of the topology, or that have forgotten them.

    Raises FleetError for the last manager of a swarm in which others would be left alone.
    """
    managers = []
    steps = []
    for name in lost:
        home = membership.of(hosts[name], found)
        node = home.find(name) if home else None
        if home and node and membership.is_manager(node):
            managers.append((home, node))
            continue
        reason = "davit_swarm_take_over names it" if home else "its swarm does not know it"
        steps.append(_leave("", name, reason, force=home is None))
        if home and node:
            home.remove(node, "")
    plan.add(*steps)
    for home, node in managers:
        force = _is_last(home, node)
        if force:
            _check_alone(home, node)
            home.nodes.remove(node)
        else:
            home.remove(
                node, f"{membership.title(node)} cannot leave the swarm {home.cluster['ID']}"
            )
        name = home.hosts[node["ID"]]
        plan.add(_leave("", name, "davit_swarm_take_over names it", force=force))


def _is_last(live: Live, node: dict[str, Any]) -> bool:
    return not any(membership.is_manager(other) for other in live.nodes if other is not node)


def _check_alone(live: Live, last: dict[str, Any]) -> None:
    others = [
        f"{live.hosts.get(node['ID']) or membership.title(node)} ({node['ID']})"
        for node in live.nodes
        if node is not last and membership.state(node) != "down"
    ]
    if others:
        raise FleetError(
            f"{live.hosts[last['ID']]} cannot leave the swarm {live.cluster['ID']}: it is the last "
            f"manager there, and others would be left alone: {', '.join(others)}; name them in "
            "davit_swarm_take_over, too, or let them leave first"
        )


def demote(plan: Plan, live: Live, swarm: Swarm, asker: str) -> None:
    """Make workers of managers that are declared as workers, the leader last."""
    for node in _leader_last(live):
        name = live.hosts.get(node["ID"], "")
        if name in swarm.workers and membership.is_manager(node):
            live.demote(node, f"swarm {swarm.name}: {name} cannot be demoted")
            plan.add(
                Step(
                    *(swarm.name, "demote", name, asker, "node"),
                    options={"name": node["ID"], "role": "worker"},
                    before={"role": "manager"},
                    after={"role": "worker"},
                )
            )


def leave(plan: Plan, live: Live, swarm: Swarm, asker: str, hosts: set[str]) -> list[str]:
    """Let go who is not declared in this swarm; returns the hosts that are free then."""
    going = [
        node
        for node in _leader_last(live)
        if live.hosts.get(node["ID"]) in hosts and live.hosts[node["ID"]] not in swarm.hosts
    ]
    workers = [node for node in going if not membership.is_manager(node)]
    left = [live.hosts[node["ID"]] for node in going]
    plan.add(
        *(
            Step(
                *(swarm.name, "drain", live.hosts[node["ID"]], asker, "node"),
                options={"name": node["ID"], "availability": "drain"},
                before={"availability": node["Spec"]["Availability"]},
                after={"availability": "drain"},
            )
            for node in workers
            if node["Spec"]["Availability"] != "drain"
        )
    )
    plan.add(*(_leave(swarm.name, live.hosts[node["ID"]], "") for node in workers))
    plan.add(*(_remove(live, node, asker, "") for node in workers))
    for node in going:
        name = live.hosts[node["ID"]]
        what = f"swarm {swarm.name}: {name} cannot leave"
        if membership.is_manager(node):
            live.demote(node, what)
            # On its host, the module drains and demotes it before it leaves.
            plan.add(_leave(swarm.name, name, ""))
            plan.add(_remove(live, node, asker, ""))
        live.remove(node, what)
    return left


def empty(plan: Plan, live: Live, hosts: dict[str, Host]) -> list[str]:
    """End a swarm: its workers leave, then its managers; the last one takes it with it."""
    others = [
        f"{membership.title(node)} ({node['ID']})"
        for node in live.nodes
        if live.hosts.get(node["ID"]) not in hosts and membership.state(node) != "down"
    ]
    if others:
        raise FleetError(
            f"swarm {live.name} cannot be ended: it has nodes of other hosts, which would be left "
            f"alone: {', '.join(others)}; let them leave first, or add their hosts to the play"
        )
    going = [node for node in _leader_last(live) if node["ID"] in live.hosts]
    workers = [node for node in going if not membership.is_manager(node)]
    plan.add(*(_leave(live.name, live.hosts[node["ID"]], "") for node in workers))
    for node in going:
        if membership.is_manager(node):
            plan.add(_leave(live.name, live.hosts[node["ID"]], "", force=True))
    return [live.hosts[node["ID"]] for node in going]


def _leave(swarm: str, name: str, reason: str, *, force: bool = False) -> Step:
    options: dict[str, Any] = {**_GONE, "force": True} if force else dict(_GONE)
    before = {"state": "present"}
    return Step(swarm, "leave", name, name, "swarm", options, before, _GONE, reason)


def _remove(live: Live, node: dict[str, Any], asker: str, reason: str) -> Step:
    options = {"name": node["ID"], "state": "absent", "force": True}
    who = live.hosts.get(node["ID"]) or membership.title(node)
    before = {"state": "present"}
    return Step(live.name, "remove", who, asker, "node", options, before, _GONE, reason)


def _leader_last(live: Live) -> list[dict[str, Any]]:
    return sorted(live.nodes, key=membership.is_leader)


def _manager(live: Live, hosts: dict[str, Host]) -> str:
    """A manager that answers: there is one, or nobody would have told of this swarm."""
    for node in live.nodes:
        name = live.hosts.get(node["ID"], "")
        if membership.is_manager(node) and name in hosts and hosts[name].cluster:
            return name
    raise FleetError(f"swarm {live.name}: none of its managers answers")


def _is(node: dict[str, Any], name: str, hosts: dict[str, Host]) -> bool:
    """Whether a node is the one that somebody named: a host, a node's ID or its host name."""
    if name in (node["ID"], membership.mark(node)):
        return True
    if membership.mark(node):
        return False
    return name == hostname(node) or _address(node) == _declared(hosts.get(name))


def _declared(host: Host | None) -> str:
    return bare(str((host.local.get("advertise_addr") if host else "") or ""))


def _address(node: dict[str, Any]) -> str:
    return bare((node.get("ManagerStatus") or {}).get("Addr") or "") or str(
        (node.get("Status") or {}).get("Addr") or "-"
    )


def _answers(hosts: dict[str, Host], name: str) -> bool:
    return hosts[name].facts is not None
