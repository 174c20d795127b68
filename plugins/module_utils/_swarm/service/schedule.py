# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: how many tasks, where, with what resources, and what becomes of those that end."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.rows import (
    TASK,
    group,
    row,
    time,
)
from ansible_collections.davit.fleet.plugins.module_utils._units import size

MODES = ["global", "global-job", "replicated", "replicated-job"]
_KEYS = {
    "global": "Global",
    "global-job": "GlobalJob",
    "replicated": "Replicated",
    "replicated-job": "ReplicatedJob",
}
_SECOND = 10**9
MONITOR = 5 * _SECOND
"""How long a task is watched after an update, when nobody says."""


def view(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification with a flat ``Mode``: ``Kind``, ``Replicas`` and ``MaxConcurrent``."""
    mode = spec.get("Mode") or {}
    kind = next((name for name, key in _KEYS.items() if mode.get(key) is not None), "replicated")
    settings = mode.get(_KEYS[kind]) or {}
    count = settings.get("TotalCompletions" if kind == "replicated-job" else "Replicas")
    flat = {"Kind": kind, "Replicas": count, "MaxConcurrent": settings.get("MaxConcurrent")}
    return {**spec, "Mode": flat}


def unview(spec: dict[str, Any]) -> dict[str, Any]:
    """The reverse of :func:`view`."""
    flat = spec.get("Mode") or {}
    kind, count = flat.get("Kind") or "replicated", flat.get("Replicas")
    settings: dict[str, Any] = {}
    if kind == "replicated":
        settings["Replicas"] = 1 if count is None else count
    elif kind == "replicated-job":
        settings["TotalCompletions"] = 1 if count is None else count
        # As many at once as there are, as the docker command has it.
        settings["MaxConcurrent"] = flat.get("MaxConcurrent") or settings["TotalCompletions"]
    return {**spec, "Mode": {_KEYS[kind]: settings}}


def _preferences(value: list[str]) -> list[dict[str, Any]]:
    return [{"Spread": {"SpreadDescriptor": item}} for item in value]


def _preferred(value: list[dict[str, Any]] | None) -> list[str]:
    return [(item.get("Spread") or {}).get("SpreadDescriptor", "") for item in value or []]


def _limits(value: dict[str, Any]) -> dict[str, Any]:
    made = {"NanoCPUs": round(float(value.get("cpus") or 0) * _SECOND)}
    made["MemoryBytes"] = size(value["memory"]) if value.get("memory") else 0
    if value.get("pids"):
        made["Pids"] = value["pids"]
    return made


def _reservations(value: dict[str, Any]) -> dict[str, Any]:
    generic: list[dict[str, Any]] = []
    for kind, wanted in (value.get("generic") or {}).items():
        if isinstance(wanted, list):
            named = ({"Kind": kind, "Value": str(item)} for item in wanted)
            generic += [{"NamedResourceSpec": item} for item in named]
        else:
            generic.append({"DiscreteResourceSpec": {"Kind": kind, "Value": int(wanted)}})
    made = _limits({key: value.get(key) for key in ("cpus", "memory")})
    return {**made, "GenericResources": generic} if generic else made


def _resources(value: dict[str, Any] | None) -> dict[str, Any]:
    shown = {key: item for key, item in (value or {}).items() if item}
    if "GenericResources" in shown:
        parts = (part for item in shown["GenericResources"] for part in item.values())
        shown["GenericResources"] = sorted(f"{part['Kind']}={part['Value']}" for part in parts)
    return shown


def _restart(value: dict[str, Any]) -> dict[str, Any]:
    made = {
        "Delay": time(value, "delay", 5 * _SECOND),
        "MaxAttempts": value.get("max_attempts") or 0,
        "Window": time(value, "window", 0),
    }
    # Without one, the engine knows which fits the mode.
    return {**made, "Condition": value["condition"]} if value.get("condition") else made


def _restart_shown(value: dict[str, Any] | None) -> dict[str, Any]:
    shown = value or {}
    return {
        "condition": shown.get("Condition") or "any",
        "delay": 5 * _SECOND if shown.get("Delay") is None else shown["Delay"],
        "max_attempts": shown.get("MaxAttempts") or 0,
        "window": shown.get("Window") or 0,
    }


def _rollout(value: dict[str, Any]) -> dict[str, Any]:
    parallelism = value.get("parallelism")
    return {
        "Parallelism": 1 if parallelism is None else parallelism,
        "Delay": time(value, "delay", 0),
        "FailureAction": value.get("failure_action") or "pause",
        "Monitor": time(value, "monitor", MONITOR),
        "MaxFailureRatio": value.get("max_failure_ratio") or 0,
        "Order": value.get("order") or "stop-first",
    }


def _rollout_shown(value: dict[str, Any] | None) -> dict[str, Any]:
    shown = value or {"Parallelism": 1}
    return {
        "parallelism": shown.get("Parallelism") or 0,
        "delay": shown.get("Delay") or 0,
        "failure_action": shown.get("FailureAction") or "pause",
        "monitor": shown.get("Monitor") or MONITOR,
        # Of single precision in the engine.
        "max_failure_ratio": round(shown.get("MaxFailureRatio") or 0, 6),
        "order": shown.get("Order") or "stop-first",
    }


def _rollouts(name: str, path: str, actions: list[str]) -> Field:
    options = {
        "parallelism": "int",
        "delay": "str",
        "failure_action": {"type": "str", "choices": actions},
        "monitor": "str",
        "max_failure_ratio": "float",
        "order": {"type": "str", "choices": ["start-first", "stop-first"]},
    }
    return group(name, options, path, encode=_rollout, canon=_rollout_shown)


ROWS = [
    Field(
        "mode",
        {"type": "str", "choices": MODES},
        "Mode.Kind",
        canon=lambda value: value or "replicated",
        live=lambda value: True,
        since={"=global-job": (1, 41), "=replicated-job": (1, 41)},
    ),
    row(
        "replicas",
        "int",
        "Mode.Replicas",
        canon=lambda value: 1 if value is None else value,
    ),
    row("max_concurrent", "int", "Mode.MaxConcurrent", canon=lambda value: value or 0),
    row(
        "constraints",
        "list/str",
        f"{TASK}.Placement.Constraints",
        canon=lambda value: sorted("".join(item.split()) for item in value or []),
    ),
    row(
        "preferences",
        "list/str",
        f"{TASK}.Placement.Preferences",
        encode=_preferences,
        canon=_preferred,
    ),
    row(
        "max_replicas_per_node",
        "int",
        f"{TASK}.Placement.MaxReplicas",
        canon=lambda value: value or 0,
        since={"": (1, 40)},
    ),
    group(
        "limits",
        {"cpus": "float", "memory": "str", "pids": "int"},
        f"{TASK}.Resources.Limits",
        encode=_limits,
        canon=_resources,
        since={"pids": (1, 41)},
    ),
    group(
        "reservations",
        {"cpus": "float", "memory": "str", "generic": "dict"},
        f"{TASK}.Resources.Reservations",
        encode=_reservations,
        canon=_resources,
        since={"generic": (1, 32)},
    ),
    group(
        "restart_config",
        {
            "condition": {"type": "str", "choices": ["any", "none", "on-failure"]},
            "delay": "str",
            "max_attempts": "int",
            "window": "str",
        },
        f"{TASK}.RestartPolicy",
        encode=_restart,
        canon=_restart_shown,
    ),
    _rollouts("update_config", "UpdateConfig", ["continue", "pause", "rollback"]),
    _rollouts("rollback_config", "RollbackConfig", ["continue", "pause"]),
]
