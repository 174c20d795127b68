# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Actions: what a planner decides, what check mode shows and what an executor does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_SECRET = re.compile(r"pass|secret|token|credential|private|api_?key", re.IGNORECASE)


@dataclass(frozen=True)
class Action:
    """One step on one object.

    kind: image, network, volume or container. verb: what happens to it. name: of the object.
    before, after: the fields that differ, by option name. data: what the executor needs.
    """

    kind: str
    verb: str
    name: str
    reason: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The action as the module returns it."""
        shown: dict[str, Any] = {"kind": self.kind, "action": self.verb, "name": self.name}
        if self.reason:
            shown["reason"] = self.reason
        return shown


def diff(actions: list[Action]) -> list[dict[str, Any]]:
    """Ansible's ``diff``: one entry an object, field by field."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for action in actions:
        entry = entries.setdefault(
            (action.kind, action.name),
            {
                "before_header": f"{action.kind} {action.name}",
                "after_header": f"{action.kind} {action.name}",
                "before": {},
                "after": {},
            },
        )
        entry["before"] = {**_veiled(action.before), **entry["before"]}
        entry["after"].update(_veiled(action.after))
    return list(entries.values())


def _veiled(fields: dict[str, Any]) -> dict[str, Any]:
    """Hide variables whose names say that they are secret: a diff ends up in logs."""
    env = fields.get("env")
    if not isinstance(env, dict):
        return fields
    return {
        **fields,
        "env": {key: "********" if _SECRET.search(key) else env[key] for key in env},
    }
