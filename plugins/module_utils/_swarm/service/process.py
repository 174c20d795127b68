# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: what runs in each task, as whom, and with which rights."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container.identity import texts, words
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.rows import (
    CONTAINER,
    TASK,
    group,
    row,
    shared,
    since,
)
from ansible_collections.davit.fleet.plugins.module_utils._units import duration

_GRACE = 10 * 10**9


def _list(value: Any) -> list[Any]:
    return list(value or [])


def _map(value: Any) -> dict[str, Any]:
    return dict(value or {})


def _grace(value: int | None) -> int:
    return _GRACE if value is None else value


def _profile(value: dict[str, Any]) -> dict[str, Any]:
    made = {"Mode": value.get("mode") or ("custom" if value.get("profile") else "default")}
    return {**made, "Profile": value["profile"]} if value.get("profile") else made


def _profile_shown(value: dict[str, Any] | None) -> tuple[str, str]:
    return (value or {}).get("Mode") or "default", (value or {}).get("Profile") or ""


def _selinux(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "Disable": bool(value.get("disable")),
        **{key.capitalize(): value.get(key) or "" for key in ("user", "role", "type", "level")},
    }


def _credentials(value: dict[str, Any]) -> dict[str, str]:
    return {key.capitalize(): text for key, text in value.items() if text}


def _solid(value: dict[str, Any] | None) -> dict[str, Any]:
    return {key: item for key, item in (value or {}).items() if item}


ROWS = [
    row("command", "raw", f"{CONTAINER}.Command", encode=words, canon=_list),
    row("args", "raw", f"{CONTAINER}.Args", encode=words, canon=_list),
    shared("env", f"{CONTAINER}.Env"),
    row("labels", "dict", "Labels", encode=texts, entries=True, canon=_map),
    row("container_labels", "dict", f"{CONTAINER}.Labels", encode=texts, entries=True, canon=_map),
    shared("hostname", f"{CONTAINER}.Hostname"),
    shared("user", f"{CONTAINER}.User"),
    shared("groups", f"{CONTAINER}.Groups"),
    shared("working_dir", f"{CONTAINER}.Dir"),
    shared("tty", f"{CONTAINER}.TTY"),
    shared("interactive", f"{CONTAINER}.OpenStdin"),
    shared("read_only", f"{CONTAINER}.ReadOnly"),
    shared("init", f"{CONTAINER}.Init"),
    shared("stop_signal", f"{CONTAINER}.StopSignal", canon=lambda value: value or ""),
    row(
        "stop_grace_period",
        "str",
        f"{CONTAINER}.StopGracePeriod",
        encode=duration,
        canon=_grace,
    ),
    shared("healthcheck", f"{CONTAINER}.Healthcheck", since=since("healthcheck")),
    shared("cap_add", f"{CONTAINER}.CapabilityAdd", since={"": (1, 41)}),
    shared("cap_drop", f"{CONTAINER}.CapabilityDrop", since={"": (1, 41)}),
    shared("sysctls", f"{CONTAINER}.Sysctls", since={"": (1, 40)}),
    shared("ulimits", f"{CONTAINER}.Ulimits", since={"": (1, 41)}),
    shared("oom_score_adj", f"{CONTAINER}.OomScoreAdj", since={"": (1, 46)}),
    row(
        "no_new_privileges",
        "bool",
        f"{CONTAINER}.Privileges.NoNewPrivileges",
        canon=bool,
        since={"": (1, 46)},
    ),
    group(
        "seccomp",
        {
            "mode": {"type": "str", "choices": ["custom", "default", "unconfined"]},
            "profile": "str",
        },
        f"{CONTAINER}.Privileges.Seccomp",
        encode=_profile,
        canon=_profile_shown,
        since={"": (1, 46)},
    ),
    row(
        "apparmor",
        "str",
        f"{CONTAINER}.Privileges.AppArmor.Mode",
        canon=lambda value: value or "default",
        since={"": (1, 46)},
    ),
    group(
        "selinux",
        {"disable": "bool", "user": "str", "role": "str", "type": "str", "level": "str"},
        f"{CONTAINER}.Privileges.SELinuxContext",
        encode=_selinux,
        canon=_solid,
    ),
    group(
        "credential_spec",
        {"config": "str", "file": "str", "registry": "str"},
        f"{CONTAINER}.Privileges.CredentialSpec",
        encode=_credentials,
        canon=_solid,
    ),
    shared("log_driver", f"{TASK}.LogDriver.Name", canon=lambda value: value or ""),
    shared("log_options", f"{TASK}.LogDriver.Options"),
]
