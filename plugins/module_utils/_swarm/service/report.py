# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What there is to tell of services and their tasks."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import (
    apply,
    progress,
)

_ENDED = ("complete", "failed")


def ask(engine: Engine, names: list[str] | None) -> dict[str, Any]:
    """The services of these names or IDs, in that order, and which are missing; None for all.

    engine: a manager's. Raises EngineError.
    """
    listed = engine.get("services") or []
    found = {item["ID"]: item for item in listed}
    # A name is what people mean, should another service have it for its ID.
    found.update((item["Spec"]["Name"], item) for item in listed)
    wanted = sorted(item["Spec"]["Name"] for item in listed) if names is None else names
    services = [found[name] for name in wanted if name in found]
    missing = [name for name in wanted if name not in found]
    if not services:
        return {"services": [], "missing": missing}
    hosts = {
        node["ID"]: (node.get("Description") or {}).get("Hostname") or node["ID"]
        for node in engine.get("nodes") or []
    }
    tasks = engine.get("tasks", filters={"service": [item["ID"] for item in services]}) or []
    return {"services": [tell(item, tasks, hosts) for item in services], "missing": missing}


def tell(
    service: dict[str, Any], tasks: list[dict[str, Any]], hosts: dict[str, str]
) -> dict[str, Any]:
    """One service. tasks: of others, too. hosts: names of the nodes by ID."""
    mine = [task for task in tasks if task["ServiceID"] == service["ID"]]
    found = progress.look(service, mine, progress.REST)
    return {
        **apply.summary(service),
        "created": service.get("CreatedAt") or "",
        "updated": service.get("UpdatedAt") or "",
        "version": (service.get("Version") or {}).get("Index") or 0,
        "converged": found.reached and not found.failed,
        "progress": found.text,
        "spec": service["Spec"],
        "previous_spec": service.get("PreviousSpec"),
        "endpoint": service.get("Endpoint") or {},
        "update_status": service.get("UpdateStatus") or {},
        "tasks": [_task(service, task, hosts) for task in _newest_first(mine)],
    }


def _task(service: dict[str, Any], task: dict[str, Any], hosts: dict[str, str]) -> dict[str, Any]:
    status = task["Status"]
    container = status.get("ContainerStatus") or {}
    node, slot = task.get("NodeID") or "", task.get("Slot") or 0
    return {
        "id": task["ID"],
        # As the docker command shows it.
        "name": f"{service['Spec']['Name']}.{slot or node}",
        "slot": slot,
        "node": hosts.get(node, node),
        "node_id": node,
        "image": ((task.get("Spec") or {}).get("ContainerSpec") or {}).get("Image") or "",
        "state": status["State"],
        "desired_state": task["DesiredState"],
        "since": status.get("Timestamp") or "",
        "message": status.get("Message") or "",
        "error": status.get("Err") or "",
        "exit_code": container.get("ExitCode") if status["State"] in _ENDED else None,
        "container": container.get("ContainerID") or "",
        "ports": (status.get("PortStatus") or {}).get("Ports") or [],
    }


def _newest_first(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each place's tasks together, the newest first."""

    def place(task: dict[str, Any]) -> tuple[int, str]:
        slot = task.get("Slot") or 0
        return slot, "" if slot else str(task.get("NodeID") or "")

    return sorted(sorted(tasks, key=lambda task: str(task["CreatedAt"]), reverse=True), key=place)
