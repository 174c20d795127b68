# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""A swarm's nodes: carry the plan out, and wait until what was asked for is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run

_KEYS = {"labels": "Labels", "availability": "Availability", "role": "Role"}
# The states of a task before it has ended, in their order.
_LIVE = (
    *("new", "allocated", "pending", "assigned", "accepted"),
    *("preparing", "ready", "starting", "running"),
)


def apply(engine: Engine, action: Action, patience: int) -> None:
    """patience: seconds to wait for each effect. Raises FleetError when it does not come."""
    identity = action.data["id"]
    if action.verb == "remove":
        engine.delete("nodes", identity, force=action.data["force"])
        return
    spec = action.data["spec"]
    itself = run.membership(engine).get("NodeID") == identity
    run.update(engine, "nodes", identity, lambda shown: _set(shown, spec))
    if spec.get("availability") == "drain" and action.data["up"]:
        wait_drained(engine, identity, action.name, patience)
    if "role" in spec:
        wait_role(engine, identity, action.name, spec["role"], patience, itself=itself)


def wait_drained(engine: Engine, identity: str, name: str, patience: int) -> None:
    """Wait until no task of a node runs any more."""
    if not run.wait(patience, lambda: not _running(engine, identity)):
        left = ", ".join(
            f"{task['ID']} ({task['Status']['State']})" for task in _running(engine, identity)
        )
        raise FleetError(
            f"node {name} is not drained after {patience} s: its tasks {left} have not ended; "
            "see why (docker node ps), or give a longer wait_timeout"
        )


def wait_role(
    engine: Engine, identity: str, name: str, role: str, patience: int, *, itself: bool
) -> None:
    """Wait until a node has the role that it was given. itself: whether the engine is its own."""

    def reached() -> bool:
        if itself and role == "worker":
            # Who is no manager any more is not told of the nodes.
            found = run.membership(engine)
            return found["LocalNodeState"] == "active" and not found["ControlAvailable"]
        status = engine.get("nodes", identity).get("ManagerStatus")
        if role == "worker":
            return not status
        return bool(status) and status.get("Reachability") == "reachable"

    if not run.wait(patience, _patiently(reached)):
        raise FleetError(
            f"node {name} is not a {role} after {patience} s, though it was made one: see its "
            "engine's log, and whether the managers reach each other on port 2377"
        )


def _patiently(reached: Callable[[], bool]) -> Callable[[], bool]:
    """A change of the managers may cost an election, during which they do not answer."""

    def asked() -> bool:
        try:
            return reached()
        except EngineError:
            return False

    return asked


def _set(shown: dict[str, Any], spec: dict[str, Any]) -> None:
    for key, value in spec.items():
        shown[_KEYS[key]] = value


def _running(engine: Engine, identity: str) -> list[dict[str, Any]]:
    tasks = engine.get("tasks", filters={"node": [identity]}) or []
    return [task for task in tasks if task["Status"]["State"] in _LIVE]
