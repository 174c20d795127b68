# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""A swarm's nodes: the plan. No step of it may take the managers their quorum."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "labels": {"type": "dict"},
    "labels_mode": {"type": "str", "choices": ["merge", "replace"], "default": "merge"},
    "availability": {"type": "str", "choices": ["active", "drain", "pause"]},
    "role": {"type": "str", "choices": ["manager", "worker"]},
    "force": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}


def find(nodes: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """By ID or host name. Raises FleetError when several nodes have that name."""
    exact = [node for node in nodes if node["ID"] == name]
    found = exact or [node for node in nodes if hostname(node) == name]
    if len(found) > 1:
        listed = ", ".join(f"{node['ID']} ({_state(node)})" for node in found)
        raise FleetError(
            f"node {name}: {len(found)} nodes have this host name: {listed}; name one by its ID, "
            "or remove those that are down"
        )
    return found[0] if found else None


def hostname(node: dict[str, Any]) -> str:
    return str((node.get("Description") or {}).get("Hostname") or "")


def summary(node: dict[str, Any]) -> dict[str, Any]:
    """A node as the module returns it."""
    spec = node["Spec"]
    return {
        "id": node["ID"],
        "hostname": hostname(node),
        "role": spec["Role"],
        "availability": spec["Availability"],
        "labels": spec.get("Labels") or {},
        "state": _state(node),
        "address": (node.get("Status") or {}).get("Addr") or "",
    }


def plan(options: dict[str, Any], nodes: list[dict[str, Any]], asked: str) -> list[Action]:
    """nodes: the engine's list. asked: ID of the node whose engine carries out the plan.

    Raises FleetError where a step would cost the quorum, or tasks that nobody has moved.
    """
    found = find(nodes, options["name"])
    if options["state"] == "absent":
        return [] if found is None else _removal(options, found, nodes, asked)
    if found is None:
        raise FleetError(
            f"node {options['name']}: the swarm has no such node; let it join first "
            "(davit.fleet.swarm with join_token on that host)"
        )
    return _update(options, found, nodes)


def check_quorum(nodes: list[dict[str, Any]], leaving: str, what: str) -> None:
    """Raises FleetError when the managers without one of them could not decide any more.

    leaving: its ID. what: the beginning of the message.
    """
    managers = [node for node in nodes if node.get("ManagerStatus") and node["ID"] != leaving]
    if not managers:
        raise FleetError(f"{what}: it is the last manager; promote another node first")
    reachable = [
        node for node in managers if node["ManagerStatus"].get("Reachability") == "reachable"
    ]
    needed = len(managers) // 2 + 1
    if len(reachable) < needed:
        raise FleetError(
            f"{what}: of the {len(managers)} managers that remain, {len(reachable)} can be "
            f"reached, and the swarm needs {needed}; bring one back, promote another node, or "
            "demote those that are gone first"
        )


def _update(
    options: dict[str, Any], found: dict[str, Any], nodes: list[dict[str, Any]]
) -> list[Action]:
    spec, name = found["Spec"], _name(found)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    labels = _labels(options, spec.get("Labels") or {})
    if labels != (spec.get("Labels") or {}):
        before["labels"], after["labels"] = spec.get("Labels") or {}, labels
    for key, value in (("availability", spec["Availability"]), ("role", spec["Role"])):
        if options[key] not in (None, value):
            before[key], after[key] = value, options[key]
    if not after:
        return []
    if after.get("role") == "worker":
        check_quorum(nodes, found["ID"], f"node {name} cannot be demoted")
    if after.get("role") == "manager":
        _check_promotion(found, name)
    data = {"id": found["ID"], "up": _state(found) == "ready", "spec": after}
    return [Action("node", "update", name, "", before, after, data)]


def _labels(options: dict[str, Any], shown: dict[str, str]) -> dict[str, str]:
    """A label without a value is one that is not to be there."""
    if options["labels"] is None:
        return shown
    given = options["labels"]
    kept = shown if options["labels_mode"] == "merge" else {}
    labels = {key: value for key, value in kept.items() if key not in given}
    labels.update({key: str(value) for key, value in given.items() if value is not None})
    return labels


def _check_promotion(found: dict[str, Any], name: str) -> None:
    engine = (found.get("Description") or {}).get("Engine") or {}
    if str(engine.get("EngineVersion", "")).startswith("davit-"):
        raise FleetError(
            f"node {name} cannot be promoted: its engine is davit, which is a worker only; "
            "managers need Moby (engine_flavor: moby)"
        )
    if _state(found) != "ready":
        raise FleetError(
            f"node {name} cannot be promoted: it is {_state(found)}, and a manager that cannot be "
            "reached costs the swarm its quorum; start its engine first"
        )


def _removal(
    options: dict[str, Any], found: dict[str, Any], nodes: list[dict[str, Any]], asked: str
) -> list[Action]:
    """Tasks first, then the vote, then the node."""
    name, state = _name(found), _state(found)
    if found["ID"] == asked:
        raise FleetError(
            f"node {name} cannot remove itself: run davit.fleet.swarm with state=absent there, or "
            "this task on another manager"
        )
    if state != "down" and not options["force"]:
        raise FleetError(
            f"node {name} is {state}: let it leave first (davit.fleet.swarm with state=absent on "
            "that host), or set force to drain it and remove it from here"
        )
    spec = found["Spec"]
    data = {"id": found["ID"], "up": state == "ready"}
    actions = []
    if state == "ready" and spec["Availability"] != "drain":
        before, after = {"availability": spec["Availability"]}, {"availability": "drain"}
        actions.append(Action("node", "drain", name, "", before, after, {**data, "spec": after}))
    # One whose swarm has begun anew without it still has the role, but no vote to give up.
    if spec["Role"] == "manager" and found.get("ManagerStatus"):
        check_quorum(nodes, found["ID"], f"node {name} cannot be removed")
        before, after = {"role": "manager"}, {"role": "worker"}
        actions.append(Action("node", "demote", name, "", before, after, {**data, "spec": after}))
    before, after = {"state": "present"}, {"state": "absent"}
    data = {"id": found["ID"], "force": state != "down"}
    return [*actions, Action("node", "remove", name, "", before, after, data)]


def _state(node: dict[str, Any]) -> str:
    return str((node.get("Status") or {}).get("State") or "unknown")


def _name(node: dict[str, Any]) -> str:
    """One that has never told its host name is known by its ID."""
    return hostname(node) or str(node["ID"])
