# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: how far a service has come, from what its manager tells of it and of its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import schedule

_LIVE = (
    *("new", "pending", "assigned", "accepted"),
    *("preparing", "ready", "starting", "running"),
)
_FAILED = ("failed", "rejected", "orphaned")
_SHOWN = 5
# What of a task tells that it is of the service's present specification. Not its placement: tasks
# that still fit there stay as they are.
_TELLING = ("ContainerSpec", "Resources", "RestartPolicy", "LogDriver", "ForceUpdate")

UPDATE, ROLLBACK, REST = "update", "rollback", "rest"
"""What is waited for: what was made or changed just now, a rollback that was asked for, or only
that the service is as it should be."""


@dataclass(frozen=True)
class Progress:
    """text: for people. reached: all there is to come. settled: and the manager has watched it.

    stuck: nothing moves any more. failed: why it will not come, empty while it may.
    """

    text: str
    reached: bool = False
    settled: bool = False
    stuck: bool = False
    failed: str = ""


def look(service: dict[str, Any], tasks: list[dict[str, Any]], awaited: str) -> Progress:
    """tasks: the service's, with those that have ended. awaited: UPDATE, ROLLBACK or REST."""
    mode = schedule.view(service["Spec"])["Mode"]
    if mode["Kind"].endswith("-job"):
        return _job(service, tasks, mode)
    found = _tasks(service, tasks, mode)
    status = service.get("UpdateStatus") or {}
    state, message = status.get("State") or "", status.get("Message") or ""
    if state in ("paused", "rollback_paused"):
        what = "its rollback" if state == "rollback_paused" else "its update"
        return Progress(found.text, failed=f"{what} has stopped: {message}")
    if state == "rollback_started":
        return Progress(f"rolling back: {found.text}")
    if state == "rollback_completed" and awaited == UPDATE:
        return Progress(found.text, failed="its update failed and was rolled back")
    if state == "updating":
        return Progress(f"updating: {found.text}")
    ended = (state, awaited) in (("completed", UPDATE), ("rollback_completed", ROLLBACK))
    settled = awaited == REST or ended
    return Progress(found.text, found.reached, found.reached and settled, found.stuck)


def is_updating(service: dict[str, Any]) -> bool:
    return bool((service.get("UpdateStatus") or {}).get("State") == "updating")


def monitor(spec: dict[str, Any], awaited: str) -> float:
    """Seconds for which tasks are watched before they are taken to run."""
    settings = spec.get("RollbackConfig" if awaited == ROLLBACK else "UpdateConfig") or {}
    return (settings.get("Monitor") or schedule.MONITOR) / 1e9


def errors(tasks: list[dict[str, Any]], nodes: dict[str, str]) -> list[dict[str, str]]:
    """What went wrong last: each task's name, state, node and message, without repetitions.

    nodes: host names by ID.
    """
    told: dict[tuple[str, str], dict[str, str]] = {}
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"]), reverse=True):
        status = task["Status"]
        message = status.get("Err") or ""
        if status["State"] not in _FAILED and not (message and status["State"] in _LIVE):
            continue
        node = nodes.get(task.get("NodeID") or "", task.get("NodeID") or "")
        entry = {
            "task": task["ID"],
            "slot": str(task.get("Slot") or ""),
            "state": status["State"],
            "node": node,
            "message": message or status.get("Message") or "",
        }
        told.setdefault((node, entry["message"]), entry)
    return list(told.values())[:_SHOWN]


def worded(error: dict[str, str]) -> str:
    """``worker1: rejected: No such image``."""
    place = f"{error['node']}: " if error["node"] else ""
    return f"{place}{error['state']}: {error['message']}"


def _tasks(service: dict[str, Any], tasks: list[dict[str, Any]], mode: dict[str, Any]) -> Progress:
    """Of a service whose tasks are to run on."""
    wanted = [task for task in tasks if task["DesiredState"] == "running"]
    fresh = [task for task in wanted if _is_fresh(service, task)]
    running = sum(task["Status"]["State"] == "running" for task in fresh)
    many = len(wanted) if mode["Kind"] == "global" else int(mode["Replicas"] or 0)
    live = [task for task in _coming(tasks) if task["Status"]["State"] in _LIVE]
    reached = running == many == len(wanted)
    return Progress(f"{running} of {many} tasks run", reached, stuck=not reached and not live)


def _coming(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are to run, now or after a pause."""
    return [task for task in tasks if task["DesiredState"] in ("ready", "running", "complete")]


def _is_fresh(service: dict[str, Any], task: dict[str, Any]) -> bool:
    template, spec = service["Spec"].get("TaskTemplate") or {}, task.get("Spec") or {}
    return all((template.get(key) or {}) == (spec.get(key) or {}) for key in _TELLING)


def _job(service: dict[str, Any], tasks: list[dict[str, Any]], mode: dict[str, Any]) -> Progress:
    """Of a service whose tasks are to end."""
    turn = ((service.get("JobStatus") or {}).get("JobIteration") or {}).get("Index", 0)
    mine = [task for task in tasks if (task.get("JobIteration") or {}).get("Index", 0) == turn]
    complete = sum(task["Status"]["State"] == "complete" for task in mine)
    live = [task for task in _coming(mine) if task["Status"]["State"] in _LIVE]
    if mode["Kind"] == "global-job":
        many = complete + len(live)
        reached = bool(complete) and not live
    else:
        many = int(mode["Replicas"] or 0)
        reached = complete >= many
    text = f"{complete} of {many} tasks are complete"
    # A manager makes new tasks even so when others of the job end.
    failed = "" if reached or not _is_given_up(service, mine) else f"{text}, and others have failed"
    return Progress(text, reached, reached, stuck=not reached and not live, failed=failed)


def _is_given_up(service: dict[str, Any], tasks: list[dict[str, Any]]) -> bool:
    """Whether a task has failed more often than its service allows."""
    policy = (service["Spec"].get("TaskTemplate") or {}).get("RestartPolicy") or {}
    most = policy.get("MaxAttempts") or 0
    if policy.get("Condition") != "none" and not most:
        return False
    places = [
        (task.get("Slot") or 0, "" if task.get("Slot") else task.get("NodeID"))
        for task in tasks
        if task["Status"]["State"] in _FAILED
    ]
    allowed = 0 if policy.get("Condition") == "none" else most
    return any(places.count(place) > allowed for place in places)
