# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What the swarm's modules share: where they ask, and from a plan to a module's result."""

from __future__ import annotations

import time
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._client import AbsentEngine, Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._http import Target
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action, diff

_TRIES = 5
_PAUSE = 0.2
# Seconds that a node may take from its promotion to its first answer as a manager.
_PROMOTION = 20
# What Moby says when an object has changed since it was read.
_OUT_OF_SEQUENCE = "out of sequence"


def membership(engine: Engine) -> dict[str, Any]:
    """``Swarm`` of the engine's info; that of no swarm while the engine is yet to come."""
    info = engine.get("info") or {}
    return info.get("Swarm") or {"LocalNodeState": "inactive"}


def is_manager(found: dict[str, Any]) -> bool:
    return found.get("LocalNodeState") == "active" and bool(found.get("ControlAvailable"))


def managed(module: AnsibleModule, engine: Engine) -> Engine:
    """The engine to ask about the swarm's objects, which only a manager knows. Raises FleetError.

    In check mode, an earlier task of the same play may be what begins the swarm: the plan is then
    one for an empty swarm.
    """
    found = membership(engine)
    if _is_promoted(found):
        wait(_PROMOTION, lambda: not _is_promoted(membership(engine)))
        found = membership(engine)
    if is_manager(found):
        return engine
    state = found.get("LocalNodeState")
    if module.check_mode and state == "inactive":
        if not isinstance(engine, AbsentEngine):
            module.warn(
                f"the host of {engine.host} is in no swarm: this plan is for a swarm that is "
                "yet to begin there; without it, the real run fails"
            )
        return AbsentEngine(Target(engine.host))
    if state == "locked":
        raise FleetError(
            f"the swarm's manager on {engine.host} is locked: unlock it first "
            "(davit.fleet.swarm with unlock_key)"
        )
    what = "is a worker" if state == "active" else "is in no swarm"
    if state in ("pending", "error"):
        what = f"has no working swarm ({found.get('Error') or state})"
    raise FleetError(
        f"the host of {engine.host} {what}, and only managers know the swarm's objects: "
        "run this task on a manager"
    )


def _is_promoted(found: dict[str, Any]) -> bool:
    """Tell whether the managers count a node among them that does not answer as one yet."""
    managers = [manager["NodeID"] for manager in found.get("RemoteManagers") or []]
    waiting = found.get("LocalNodeState") == "active" and not found.get("ControlAvailable")
    return waiting and found.get("NodeID") in managers


def finish(
    module: AnsibleModule,
    plan: Callable[[Engine], list[Action]],
    apply: Callable[[Engine, Action], None],
    tell: Callable[[Engine, list[Action]], dict[str, Any]],
) -> None:
    """Plan, and apply unless in check mode; ends the module.

    tell: what to return besides, given the plan; in check mode it sees the engine unchanged.
    """
    done: list[Action] = []
    actions: list[Action] = []
    connection = _module.connect(module)
    try:
        actions = plan(connection)
        if not module.check_mode:
            for action in actions:
                apply(connection, action)
                done.append(action)
            if any(action.data.get("replan") for action in actions):
                # Only now it shows what is left to do.
                actions = done + plan(connection)
                for action in actions[len(done) :]:
                    apply(connection, action)
                    done.append(action)
        result = {
            "changed": bool(actions),
            "actions": [action.summary() for action in actions],
            **tell(connection, actions),
        }
        if module._diff:
            result["diff"] = diff(actions)
    except FleetError as error:
        module.fail_json(
            msg=str(error),
            changed=bool(done),
            actions=[action.summary() for action in done],
            remaining=[action.summary() for action in actions[len(done) :]],
            **error.facts,
        )
    finally:
        connection.close()
    module.exit_json(**result)


def update(
    engine: Engine,
    kind: str,
    identity: str,
    change: Callable[[dict[str, Any]], None],
    auth: dict[str, str] | None = None,
    **query: Any,
) -> None:
    """Change an object's spec as it is now, again when somebody else was faster.

    kind: nodes, services, secrets or configs. change: alters the spec in place. auth: an
    AuthConfig for the registry.
    """

    def once() -> None:
        found = engine.get(kind, identity)
        spec = found["Spec"]
        change(spec)
        version = found["Version"]["Index"]
        engine.post(kind, identity, "update", body=spec, auth=auth, version=version, **query)

    in_sequence(once)


def in_sequence(once: Callable[[], None]) -> None:
    """Read and change an object, and do so again when somebody else was faster."""
    for turn in range(_TRIES):
        try:
            once()
            return
        except EngineError as error:
            if _OUT_OF_SEQUENCE not in error.message or turn == _TRIES - 1:
                raise
            time.sleep(_PAUSE)


def wait(seconds: float, reached: Callable[[], bool]) -> bool:
    """Ask until it is so; False when it is not after so many seconds."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True
