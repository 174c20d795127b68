# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a plan for whole swarms, each with its way out."""

from __future__ import annotations

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import membership
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import host as bare
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import is_other_address
from ansible_collections.davit.fleet.plugins.module_utils._swarm.membership import Host, Live
from ansible_collections.davit.fleet.plugins.module_utils._swarm.topology import Swarm


def check_answers(swarms: list[Swarm], hosts: dict[str, Host], dead: tuple[str, ...]) -> list[str]:
    """Managers have to answer, or to be given up. Returns who else does not, and can wait."""
    # A machine in no swarm has been installed anew: what was its node is dead.
    alive = [name for name in dead if name in hosts and hosts[name].state != "inactive"]
    if alive:
        raise FleetError(
            f"davit_swarm_dead names {', '.join(alive)}, but these hosts answer; let them leave "
            "instead, by taking them out of davit_swarm_topology"
        )
    managers = {name for swarm in swarms for name in swarm.managers}
    silent = [host for host in hosts.values() if host.facts is None and host.name not in dead]
    lacking = [f"{host.name} ({host.problem})" for host in silent if host.name in managers]
    if lacking:
        raise FleetError(
            f"managers do not answer: {', '.join(lacking)}; start them, or name those that are "
            "gone for good in davit_swarm_dead"
        )
    return sorted(host.name for host in silent)


def check_engines(swarm: Swarm, hosts: dict[str, Host]) -> None:
    for name in swarm.managers:
        if hosts[name].is_davit:
            raise FleetError(
                f"swarm {swarm.name}: {name} cannot be a manager: its engine is davit, which is "
                "a worker only; managers need Moby (engine_flavor: moby)"
            )


def check_single(swarm: Swarm, live: Live) -> None:
    if live.name:
        raise FleetError(
            f"the swarm {live.cluster['ID']} is both {live.name} and {swarm.name} of "
            "davit_swarm_topology, by its managers; tell by id which it is"
        )


def check_membership(swarm: Swarm, live: Live | None, hosts: dict[str, Host]) -> None:
    """A swarm that cannot decide, or is not found, is not taken for one that is yet to begin."""
    if live:
        for name in swarm.hosts:
            if live.find(name):
                _check_address(swarm, hosts[name])
        return
    headless = [name for name in swarm.managers if hosts[name].leaderless]
    if headless:
        known = _count(headless, hosts)
        raise FleetError(
            f"swarm {swarm.name} has no leader, so nothing can be changed: of its {known} managers "
            f"{len(headless)} answer ({', '.join(headless)}), and it needs {known // 2 + 1}; start "
            "the others, or name one in davit_swarm_recover from which it begins anew"
        )
    gone = [name for name in swarm.managers if hosts[name].facts is None]
    if gone:
        raise FleetError(
            f"swarm {swarm.name}: {', '.join(gone)} cannot be replaced, for none of its managers "
            "answers; if the swarm is lost with all that it had, take them out of "
            "davit_swarm_topology, and it begins anew"
        )
    if swarm.id:
        raise FleetError(
            f"swarm {swarm.name}: no manager of the swarm {swarm.id} answers; correct its id, or "
            "leave it out for a new swarm"
        )


def strangers(
    swarms: list[Swarm], hosts: dict[str, Host], found: dict[str, Live], given_up: tuple[str, ...]
) -> list[str]:
    """Hosts whose membership is to be given up at once. Raises FleetError for the others.

    given_up: hosts whose membership in a swarm that the topology does not have may end.
    """
    declared = {name for swarm in swarms for name in swarm.hosts}
    lost, unknown = [], []
    for name in sorted(declared):
        host = hosts[name]
        home = membership.of(host, found)
        if host.facts is None or host.state == "inactive" or (home and home.name):
            continue
        if name in given_up or (home is None and membership.is_orphan(host, found)):
            lost.append(name)
        else:
            unknown.append(f"{name} ({_standing(host, home)})")
    if unknown:
        raise FleetError(
            f"these hosts are in another swarm than the declared one: {'; '.join(unknown)}; let "
            "them leave there, or name in davit_swarm_take_over those whose membership may be "
            "given up"
        )
    return lost


def check_recovery(swarms: list[Swarm], chosen: tuple[str, ...]) -> None:
    for name in chosen:
        if not any(name in swarm.managers for swarm in swarms):
            raise FleetError(
                f"davit_swarm_recover names {name}, which is a manager of no swarm in "
                "davit_swarm_topology"
            )
    for swarm in swarms:
        both = [name for name in swarm.managers if name in chosen]
        if len(both) > 1:
            raise FleetError(
                f"swarm {swarm.name}: davit_swarm_recover names {', '.join(both)}, and it can "
                "begin anew from one of them only; take the one that was up longest"
            )


def survivor(swarm: Swarm, hosts: dict[str, Host], chosen: tuple[str, ...]) -> str:
    """The manager from which a swarm begins anew, empty when it need not. Raises FleetError."""
    for name in (name for name in swarm.managers if name in chosen):
        if not hosts[name].leaderless:
            continue
        headless = [other for other in swarm.managers if hosts[other].leaderless]
        needed = _count(headless, hosts) // 2 + 1
        if len(headless) >= needed:
            raise FleetError(
                f"swarm {swarm.name} need not begin anew: {', '.join(headless)} answer, and are "
                f"enough to elect a leader; wait, or see whether they reach each other on port "
                "2377"
            )
        if swarm.settings.get("autolock"):
            raise FleetError(
                f"swarm {swarm.name} cannot begin anew from {name}: it is autolocked, and Moby "
                "can begin no such swarm anew; start the other managers, and unlock them"
            )
        return name
    return ""


def _count(headless: list[str], hosts: dict[str, Host]) -> int:
    """How many managers a swarm without a leader has, as those that answer know."""
    known = set().union(*(hosts[name].manager_addresses for name in headless))
    return max(len(headless), len(known))


def _check_address(swarm: Swarm, host: Host) -> None:
    wanted = bare(str(host.local.get("advertise_addr") or ""))
    shown = host.node.get("address")
    if shown and is_other_address(wanted, shown):
        raise FleetError(
            f"swarm {swarm.name}: {host.name} is known by the address {shown}, not {wanted}, and "
            "cannot change it while it is a node; take it out of davit_swarm_topology for one run"
        )


def _standing(host: Host, home: Live | None) -> str:
    if host.cluster:
        return f"a manager of the swarm {host.cluster['ID']}"
    if home:
        return f"a node of the swarm {home.cluster['ID']}"
    if host.leaderless:
        return "a manager of a swarm without a leader"
    where = ", ".join(sorted(host.manager_addresses)) or "unknown"
    trouble = host.node.get("error")
    return f"its managers are {where}" + (f"; {trouble}" if trouble else "")
