"""Nodes: labels, roles, and the order in which one goes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm.nodes import ARGUMENTS, plan


def wanted(name: str, **options: Any) -> dict[str, Any]:
    defaults = {key: spec.get("default") for key, spec in ARGUMENTS.items()}
    return {**defaults, "name": name, **options}


def node(name: str, role: str = "worker", state: str = "ready", **spec: Any) -> dict[str, Any]:
    found = {
        "ID": f"id-{name}",
        "Spec": {"Role": role, "Availability": "active", "Labels": {}, **spec},
        "Description": {"Hostname": name, "Engine": {"EngineVersion": "28.0.1"}},
        "Status": {"State": state},
    }
    if role == "manager":
        reachability = "reachable" if state == "ready" else "unreachable"
        found["ManagerStatus"] = {"Reachability": reachability}
    return found


def managers(*states: str) -> list[dict[str, Any]]:
    return [node(f"m{number}", "manager", state) for number, state in enumerate(states, start=1)]


def verbs(options: dict[str, Any], nodes: list[dict[str, Any]], asked: str = "id-m1") -> list[str]:
    return [action.verb for action in plan(options, nodes, asked)]


@pytest.mark.parametrize(
    ("options", "after"),
    [
        ({"labels": {"b": 2}}, {"labels": {"a": "1", "b": "2"}}),
        ({"labels": {"b": 2}, "labels_mode": "replace"}, {"labels": {"b": "2"}}),
        ({"labels": {"a": None}}, {"labels": {}}),
        ({"labels": {}, "labels_mode": "replace"}, {"labels": {}}),
        ({"labels": {"a": 1}}, None),
        ({"labels": {}}, None),
        ({"labels_mode": "replace"}, None),
        ({"availability": "drain"}, {"availability": "drain"}),
        ({"availability": "active"}, None),
        ({"role": "manager"}, {"role": "manager"}),
        ({"role": "worker"}, None),
    ],
)
def test_update(options: dict[str, Any], after: dict[str, Any] | None) -> None:
    nodes = [*managers("ready"), node("w1", Labels={"a": "1"})]
    actions = plan(wanted("w1", **options), nodes, "id-m1")
    assert [action.after for action in actions] == ([after] if after else [])


def test_a_node_is_found_by_its_id_and_by_its_name() -> None:
    nodes = [node("w1"), node("w2"), {**node("w2", state="down"), "ID": "id-old"}]
    assert verbs(wanted("id-w2", availability="drain"), nodes) == ["update"]
    with pytest.raises(FleetError, match=r"id-w2 \(ready\), id-old \(down\)"):
        verbs(wanted("w2", availability="drain"), nodes)
    with pytest.raises(FleetError, match="no such node"):
        verbs(wanted("w3", availability="drain"), nodes)
    assert verbs(wanted("w3", state="absent"), nodes) == []


@pytest.mark.parametrize(
    ("states", "leaving", "allowed"),
    [
        (["ready"], "m1", False),
        (["ready", "ready"], "m2", True),
        (["ready", "ready", "ready"], "m3", True),
        (["ready", "ready", "down"], "m3", True),
        (["ready", "ready", "down"], "m2", False),
        (["ready", "ready", "ready", "down", "down"], "m5", True),
        (["ready", "ready", "ready", "down", "down"], "m3", False),
    ],
)
def test_managers_keep_their_quorum(states: list[str], leaving: str, allowed: bool) -> None:
    nodes = managers(*states)
    if allowed:
        assert verbs(wanted(leaving, role="worker"), nodes) == ["update"]
    else:
        with pytest.raises(FleetError, match=f"node {leaving} cannot be demoted"):
            verbs(wanted(leaving, role="worker"), nodes)


def test_who_cannot_be_a_manager() -> None:
    davit = node("w1")
    davit["Description"]["Engine"]["EngineVersion"] = "davit-0.1.0"
    with pytest.raises(FleetError, match="davit, which is a worker only"):
        verbs(wanted("w1", role="manager"), [davit])
    with pytest.raises(FleetError, match="it is down"):
        verbs(wanted("w1", role="manager"), [node("w1", state="down")])


def test_tasks_go_first_then_the_vote_then_the_node() -> None:
    nodes = [*managers("ready", "ready", "ready"), node("w1"), node("w2", Availability="drain")]
    with pytest.raises(FleetError, match="let it leave first"):
        verbs(wanted("m2", state="absent"), nodes)
    forced = {"state": "absent", "force": True}
    assert verbs(wanted("m2", **forced), nodes) == ["drain", "demote", "remove"]
    assert verbs(wanted("w1", **forced), nodes) == ["drain", "remove"]
    assert verbs(wanted("w2", **forced), nodes) == ["remove"]


def test_a_node_that_is_down_needs_no_force() -> None:
    nodes = [*managers("ready", "ready", "down"), node("w1", state="down")]
    assert verbs(wanted("w1", state="absent"), nodes) == ["remove"]
    assert verbs(wanted("m3", state="absent"), nodes) == ["demote", "remove"]


def test_a_node_does_not_remove_itself() -> None:
    nodes = managers("ready", "ready", "ready")
    with pytest.raises(FleetError, match="cannot remove itself"):
        verbs(wanted("m1", state="absent", force=True), nodes)
