# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Services: ask the manager, carry a plan out, and wait until the tasks have followed."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _registry, _support
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    FleetError,
    Invalid,
)
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import (
    image,
    progress,
    schedule,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.plan import (
    ROWS,
    Facts,
    shown_image,
    write,
)

_PAUSE, _LONGEST_PAUSE = 0.2, 1.0
# Seconds for which nothing has moved before it is taken for the end.
_STUCK = 3.0
SLICE = 15.0
"""Seconds after which the action plugin is told how far it is."""
_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_VARIABLE = re.compile(r"[^=\s]+=.*")


class Unconverged(FleetError):
    """The service did not become what was declared; ``facts`` tells of its tasks."""


def find(engine: Engine, name: str) -> dict[str, Any] | None:
    """The service of exactly this name or ID."""
    for item in engine.get("services", filters={"name": [name]}) or []:
        if item["Spec"]["Name"] == name:
            return dict(item)
    for item in engine.get("services", filters={"id": [name]}) or []:
        if item["ID"] == name:
            return dict(item)
    return None


def ask(engine: Engine, options: dict[str, Any], lenient: bool) -> Facts:
    """engine: a manager's. lenient: as in the facts. Raises Invalid, FleetError."""
    found = find(engine, options["name"])
    if options["state"] == "absent" or options["rollback"]:
        return Facts(found)
    if engine.api_version != (0, 0):
        _support.check(_support.needs(ROWS, options), engine.api_version, engine.host)
    pinned = None
    # An engine that is yet to come knows no registry.
    if image.asks(options, shown_image(found)) and engine.api_version != (0, 0):
        name = options["image"]
        pinned = image.ask(engine, name, _registry.auth(name, options))
    return Facts(
        found,
        (engine.get("secrets") or []) if options["secrets"] else [],
        (engine.get("configs") or []) if options["configs"] else [],
        _network_names(engine, options, found),
        pinned,
        lenient,
    )


def _network_names(
    engine: Engine, options: dict[str, Any], found: dict[str, Any] | None
) -> dict[str, str]:
    """Names by ID of the networks that the service has, and of those that are declared by ID."""
    if options["networks"] is None:
        return {}
    spec = (found or {}).get("Spec") or {}
    template = spec.get("TaskTemplate") or {}
    known = [item["Target"] for item in template.get("Networks") or spec.get("Networks") or []]
    for item in options["networks"]:
        known.append(item.get("name") if isinstance(item, dict) else item)
    names = {}
    for target in known:
        network = engine.find("networks", str(target)) if target else None
        if network and network["Id"] == target:
            names[str(target)] = str(network["Name"])
    return names


def with_env_files(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what the files on this host say in ``env``. Raises Invalid."""
    if not options["env_files"]:
        return options
    env: dict[str, Any] = {}
    for path in options["env_files"]:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"env_files: {path} cannot be read: {error}") from None
        for number, line in enumerate(lines, 1):
            text = line.lstrip()
            if not text or text.startswith("#"):
                continue
            if not _VARIABLE.match(text):
                raise Invalid(f"env_files: {path}, line {number}: is not NAME=VALUE")
            key, _equals, value = text.partition("=")
            env[key] = value
    return {**options, "env": {**env, **(options["env"] or {})}}


def apply(engine: Engine, action: Action, options: dict[str, Any]) -> None:
    """Raises FleetError."""
    data = action.data
    if action.verb in ("remove", "recreate"):
        engine.delete("services", data["id"])
        if options["wait"] or action.verb == "recreate":
            _wait_gone(engine, action.name, data["id"], options["wait_timeout"])
    if action.verb in ("create", "recreate"):
        engine.post("services", "create", body=data["body"], auth=_auth(options, ""))
    if action.verb == "rollback":
        run.update(engine, "services", data["id"], lambda spec: None, rollback="previous")
    if action.verb == "update":
        name = shown_image(engine.get("services", data["id"]))
        auth = _auth(options, name)
        query = {} if auth else {"registryAuthFrom": "spec"}

        def change(spec: dict[str, Any]) -> None:
            made = write(spec, data)
            spec.clear()
            spec.update(made)

        run.update(engine, "services", data["id"], change, auth=auth, **query)


def _auth(options: dict[str, Any], shown: str) -> dict[str, str] | None:
    """What the nodes are to be at the registry. shown: the image, when none is declared."""
    if not options["with_registry_auth"]:
        return None
    name = options["image"] or shown.partition("@")[0]
    auth = _registry.auth(name, options)
    if not auth:
        raise Invalid(
            f"with_registry_auth: there is no login for the registry of {name}: give username and "
            "password, or log in with davit.fleet.login"
        )
    return auth


def _wait_gone(engine: Engine, name: str, identity: str, patience: int) -> None:
    def left() -> list[str]:
        tasks = engine.get("tasks") or []
        mine = [task for task in tasks if task.get("ServiceID") == identity]
        return [task["ID"] for task in mine if task["Status"]["State"] not in _ENDED]

    if not run.wait(patience, lambda: not left()):
        raise FleetError(
            f"service {name} is removed, but after {patience} s these tasks still run: "
            f"{', '.join(left())}; their nodes may be down (docker node ls)"
        )


def awaited(actions: list[Action]) -> str:
    """What is to be waited for after these actions."""
    for action in actions:
        if action.verb == "rollback":
            return progress.ROLLBACK
        if action.verb in ("create", "recreate") or action.data.get("tasks"):
            return progress.UPDATE
    return progress.REST


def wait(
    engine: Engine, identity: str, purpose: str, patience: float, piece: float = 0
) -> tuple[dict[str, Any], str, bool]:
    """Wait until a service's tasks are as declared.

    Return the service, how far it is in words, and whether that is all.

    purpose: see :mod:`progress`. piece: seconds after which to return even so, 0 for never.
    Raises Unconverged.
    """
    begun = time.monotonic()
    reached = stuck = 0.0
    pause = _PAUSE
    while True:
        service = engine.get("services", identity)
        tasks = engine.get("tasks", filters={"service": [identity]}) or []
        if purpose == progress.REST and progress.is_updating(service):
            # By somebody else, such as davit.fleet.secret.
            purpose = progress.UPDATE
        found = progress.look(service, tasks, purpose)
        now = time.monotonic()
        watched = progress.monitor(service["Spec"], purpose)
        reached = (reached or now) if found.reached else 0.0
        stuck = (stuck or now) if found.stuck else 0.0
        if found.settled or (reached and now - reached >= watched):
            return service, found.text, True
        reason = found.failed
        if not reason and stuck and now - stuck >= max(watched, _STUCK):
            reason = f"{found.text}, and no other one is to run"
        elif not reason and now - begun >= patience:
            reason = f"{found.text} after {patience:.0f} s"
        if reason:
            raise _unconverged(engine, service, tasks, reason)
        # What is all but done is not worth another turn.
        if piece and now - begun >= piece and not reached and not stuck:
            return service, found.text, False
        time.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_PAUSE)


def _unconverged(
    engine: Engine, service: dict[str, Any], tasks: list[dict[str, Any]], reason: str
) -> Unconverged:
    names = {
        node["ID"]: (node.get("Description") or {}).get("Hostname") or node["ID"]
        for node in engine.get("nodes") or []
    }
    errors = progress.errors(tasks, names)
    told = "; ".join(map(progress.worded, errors))
    name = service["Spec"]["Name"]
    return Unconverged(
        f"service {name}: {reason}" + (f"; its tasks: {told}" if told else ""),
        {"service": summary(service), "failed_tasks": errors},
    )


def summary(service: dict[str, Any]) -> dict[str, Any]:
    """A service in short."""
    mode = schedule.view(service["Spec"])["Mode"]
    return {
        "id": service["ID"],
        "name": service["Spec"]["Name"],
        "image": shown_image(service),
        "mode": mode["Kind"],
        "replicas": mode["Replicas"],
        "update": (service.get("UpdateStatus") or {}).get("State") or "",
        "ports": [
            {
                "target_port": port["TargetPort"],
                "published_port": port.get("PublishedPort") or 0,
                "protocol": port.get("Protocol") or "tcp",
                "mode": port.get("PublishMode") or "ingress",
            }
            for port in (service.get("Endpoint") or {}).get("Ports") or []
        ],
    }
