# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Carry out the actions on containers."""

from __future__ import annotations

import contextlib
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
    with contextlib.ExitStack() as undo:
        created = _made(engine, action.name, action.data)
        undo.callback(engine.delete, "containers", created, force=True, v=True)
        _connect_all(engine, created, action.data["connect"])
        undo.pop_all()


def _recreate(engine: Engine, action: Action) -> None:
    """Make the new container first; the old one is kept until the new one runs."""
    old, name, data = action.data["id"], action.name, action.data
    for stale in (name + _NEW, name + ASIDE):
        # An interrupted recreation left it. The one at work is never called that by now.
        if engine.find("containers", stale, "json"):
            engine.delete("containers", stale, force=True)
    with contextlib.ExitStack() as undo:
        undo.callback(_put_back, engine, old, name, data["was_running"])
        new = _made(engine, name + _NEW, data)
        undo.callback(engine.delete, "containers", new, force=True, v=True)
        _connect_all(engine, new, data["connect"])
        _set_aside(engine, old, name + ASIDE)
        engine.post("containers", new, "rename", name=name)
        try:
            if data["start"]:
                engine.post("containers", new, "start")
            if data["healthy"]:
                _until_healthy(engine, name, data["healthy"])
        except FleetError as error:
            raise FleetError(f"{error}; the old one was put back") from error
        undo.pop_all()
    _delete(engine, old, volumes=False)


def _set_aside(engine: Engine, old: str, aside: str) -> None:
    if engine.get("containers", old, "json")["HostConfig"].get("AutoRemove"):
        # It goes when it stops, and that takes a while; the name is needed at once.
        engine.post("containers", old, "rename", name=aside)
        _stop(engine, old)
    else:
        # Moby 20.10 fails to rename some containers while they run ("sandbox not found").
        _stop(engine, old)
        engine.post("containers", old, "rename", name=aside)


def _put_back(engine: Engine, old: str, name: str, running: bool) -> None:
    found = engine.find("containers", old, "json")
    if found is None:
        raise FleetError("the new one failed, and the old one went when it stopped (auto_remove)")
    if found["Name"].lstrip("/") != name:
        engine.post("containers", old, "rename", name=name)
    if running:
        engine.post("containers", old, "start")


def _stop(engine: Engine, container: str) -> None:
    found = engine.find("containers", container, "json")
    if found and found["State"]["Running"]:
        grace = found["Config"].get("StopTimeout")
        engine.post("containers", container, "stop", patience=10 if grace is None else grace)


def _delete(engine: Engine, container: str, *, volumes: bool) -> None:
    try:
        engine.delete("containers", container, force=True, v=volumes)
    except EngineError as error:
        # One with auto_remove goes by itself once it has stopped.
        if error.status not in (404, 409):
            raise


def _made(engine: Engine, name: str, data: dict[str, Any]) -> str:
    query: dict[str, Any] = {"name": name}
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
    _stop(engine, action.data["id"])
    _delete(engine, action.data["id"], volumes=action.data["volumes"])


def _simple(verb: str) -> Any:
    def act(engine: Engine, action: Action) -> None:
        engine.post("containers", action.data.get("id", action.name), verb)

    return act


def _restart(engine: Engine, action: Action) -> None:
    _stop(engine, action.data["id"])
    engine.post("containers", action.data["id"], "start")


def _await_healthy(engine: Engine, action: Action) -> None:
    _until_healthy(engine, action.name, action.data["timeout"])


def _until_healthy(engine: Engine, name: str, timeout: int) -> None:
    """One that has no health check is healthy when it runs. Raises FleetError."""
    deadline = time.monotonic() + timeout
    while True:
        state = engine.get("containers", name, "json")["State"]
        health = (state.get("Health") or {}).get("Status", "healthy")
        if state["Status"] == "running" and health in ("healthy", "none", ""):
            return
        log = (state.get("Health") or {}).get("Log") or [{}]
        said = f"the last check said: {(log[-1].get('Output') or '').strip() or 'nothing'}"
        if state["Status"] in ("exited", "dead"):
            raise FleetError(
                f"it ended with exit code {state['ExitCode']} before it was healthy; see its logs"
            )
        if health == "unhealthy":
            raise FleetError(f"it is unhealthy; {said}")
        if time.monotonic() > deadline:
            raise FleetError(f"it is {health} after {timeout} seconds; {said}")
        time.sleep(0.25)


_VERBS = {
    "create": _create,
    "recreate": _recreate,
    "update": _update,
    "rename": _rename,
    "remove": _remove,
    "connect": _connect,
    "disconnect": _disconnect,
    "start": _simple("start"),
    "stop": lambda engine, action: _stop(engine, action.data["id"]),
    "restart": _restart,
    "unpause": _simple("unpause"),
    "await_healthy": _await_healthy,
}
