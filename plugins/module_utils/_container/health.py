# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: health checks, restarts and logs."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._units import duration

_POLICIES = ("no", "always", "unless-stopped", "on-failure")
_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}


def _texts(value: dict[str, Any]) -> dict[str, str]:
    """The API takes texts only; in YAML, 3 and true are none."""
    return {
        name: str(item).lower() if isinstance(item, bool) else str(item)
        for name, item in value.items()
    }


def _healthcheck(value: dict[str, Any]) -> dict[str, Any]:
    test = value.get("test")
    if isinstance(test, str):
        test = ["NONE"] if test == "NONE" else ["CMD-SHELL", test]
    result: dict[str, Any] = {} if test is None else {"Test": [str(word) for word in test]}
    for option, key in _TIMES.items():
        if value.get(option):
            result[key] = duration(value[option])
    if value.get("retries"):
        result["Retries"] = value["retries"]
    return result


def _solid(value: dict[str, Any] | None) -> dict[str, Any]:
    return {key: item for key, item in (value or {}).items() if item}


def _policy(value: dict[str, Any] | None) -> tuple[str, int]:
    name = (value or {}).get("Name") or "no"
    return name, (value or {}).get("MaximumRetryCount") or 0


def _restart(value: str) -> dict[str, Any]:
    """``on-failure:3`` → name and count."""
    name, _sep, count = value.partition(":")
    if name not in _POLICIES or (count and not (name == "on-failure" and count.isdigit())):
        raise ValueError(f"{value!r} is none of {', '.join(_POLICIES)}, on-failure:COUNT")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


ROWS = [
    Field(
        "restart_policy",
        {"type": "str"},
        "HostConfig.RestartPolicy",
        encode=_restart,
        canon=_policy,
        default={"Name": "no", "MaximumRetryCount": 0},
        live=lambda value: True,
        watched=True,
    ),
    Field(
        "healthcheck",
        {
            "type": "dict",
            "options": {
                "test": {"type": "raw"},
                "interval": {"type": "str"},
                "timeout": {"type": "str"},
                "start_period": {"type": "str"},
                "start_interval": {"type": "str"},
                "retries": {"type": "int"},
            },
        },
        "Healthcheck",
        encode=_healthcheck,
        canon=_solid,
        from_image=lambda image: image.get("Healthcheck"),
        since={"start_period": (1, 29), "start_interval": (1, 44)},
    ),
    Field("log_driver", {"type": "str"}, "HostConfig.LogConfig.Type"),
    Field(
        "log_options",
        {"type": "dict"},
        "HostConfig.LogConfig.Config",
        encode=_texts,
        canon=lambda value: value or {},
        # The engine adds its own for the same driver.
        entries=True,
    ),
]
