# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Carry out the actions on containers."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._container import network
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import ASIDE
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

_NEW = ".davit-new"


def apply(engine: Engine, action: Action) -> None:
    """Raises EngineError, FleetError."""
    _VERBS[action.verb](engine, action)


def _create(engine: Engine, action: Action) -> None:
    created = _made(engine, action.name, action.data)
    try:
        _connect_all(engine, created, action.data["connect"])
    except FleetError:
        engine.delete("containers", created, force=True, v=True)
        raise


def _recreate(engine: Engine, action: Action) -> None:
    """Make the new container first; the old one is kept until the new one runs."""
    old, name, data = action.data["id"], action.name, action.data
    stale = engine.find("containers", name + _NEW, "json")
    if stale:
        engine.delete("containers", stale["Id"], force=True)
    new = _made(engine, name + _NEW, data)
    stopped = aside = False
    try:
        _connect_all(engine, new, data["connect"])
        if data["was_running"]:
            engine.post("containers", old, "stop")
            stopped = True
        engine.post("containers", old, "rename", name=name + ASIDE)
        aside = True
        engine.post("containers", new, "rename", name=name)
        if data["start"]:
            engine.post("containers", new, "start")
    except FleetError as error:
        engine.delete("containers", new, force=True, v=True)
        if aside:
            engine.post("containers", old, "rename", name=name)
        if stopped:
            engine.post("containers", old, "start")
        raise FleetError(f"container {name}: {error}; the old one was put back") from error
    engine.delete("containers", old, force=True)


def _made(engine: Engine, name: str, data: dict[str, Any]) -> str:
    query = {"name": name}
    if data.get("platform"):
        query["platform"] = data["platform"]
    return str(engine.post("containers", "create", body=data["body"], **query)["Id"])


def _connect_all(engine: Engine, container: str, endpoints: list[dict[str, Any]]) -> None:
    for item in endpoints:
        engine.post(
            "networks",
            item["name"],
            "connect",
            body={"Container": container, "EndpointConfig": network.endpoint_settings(item)},
        )


def _connect(engine: Engine, action: Action) -> None:
    _connect_all(engine, action.data["id"], [action.data["endpoint"]])


def _disconnect(engine: Engine, action: Action) -> None:
    engine.post(
        "networks",
        action.data["network"],
        "disconnect",
        body={"Container": action.data["id"], "Force": False},
    )


def _update(engine: Engine, action: Action) -> None:
    engine.post("containers", action.data["id"], "update", body=action.data["body"])


def _rename(engine: Engine, action: Action) -> None:
    engine.post("containers", action.data["id"], "rename", name=action.name)


def _remove(engine: Engine, action: Action) -> None:
    found = engine.find("containers", action.data["id"], "json")
    if found is None:
        return
    if found["State"]["Status"] in ("running", "restarting"):
        engine.post("containers", action.data["id"], "stop")
    try:
        engine.delete("containers", action.data["id"], force=True, v=action.data["volumes"])
    except EngineError as error:
        # One with auto_remove goes by itself once it has stopped.
        if error.status not in (404, 409):
            raise


def _simple(verb: str) -> Any:
    def act(engine: Engine, action: Action) -> None:
        engine.post("containers", action.data.get("id", action.name), verb)

    return act


def _await_healthy(engine: Engine, action: Action) -> None:
    deadline = time.monotonic() + action.data["timeout"]
    while True:
        state = engine.get("containers", action.name, "json")["State"]
        health = (state.get("Health") or {}).get("Status", "healthy")
        if state["Status"] == "running" and health in ("healthy", "none", ""):
            return
        if state["Status"] in ("exited", "dead"):
            raise FleetError(
                f"container {action.name} ended with exit code {state['ExitCode']} before it was "
                "healthy; see its logs"
            )
        if time.monotonic() > deadline:
            log = (state.get("Health") or {}).get("Log") or [{}]
            raise FleetError(
                f"container {action.name} is {health} after {action.data['timeout']} seconds; "
                f"the last check said: {(log[-1].get('Output') or '').strip() or 'nothing'}"
            )
        time.sleep(0.5)


_VERBS = {
    "create": _create,
    "recreate": _recreate,
    "update": _update,
    "rename": _rename,
    "remove": _remove,
    "connect": _connect,
    "disconnect": _disconnect,
    "start": _simple("start"),
    "stop": _simple("stop"),
    "restart": _simple("restart"),
    "unpause": _simple("unpause"),
    "await_healthy": _await_healthy,
}
