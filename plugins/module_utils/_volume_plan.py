# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes: plan and apply. Nothing of a volume can be changed but by making it anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields, _ownership
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action


def _texts(value: dict[str, Any]) -> dict[str, str]:
    return {key: str(item) for key, item in value.items()}


ROWS = [
    _fields.Field("driver", {"type": "str"}, "Driver", default="local"),
    _fields.Field("driver_options", {"type": "dict"}, "DriverOpts", encode=_texts, entries=True),
    _fields.Field("labels", {"type": "dict"}, "Labels", encode=_texts, entries=True),
]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "recreate": {"type": "bool", "default": False},
    **{row.name: row.spec for row in ROWS},
}


def plan(
    options: dict[str, Any],
    found: dict[str, Any] | None,
    owner: str,
    users: Callable[[], list[str]],
) -> list[Action]:
    """found: inspect, or None. users: gives the names of the containers that mount it.

    Raises FleetError where only a loss of data would help, or a container stands in the way.
    """
    name = options["name"]
    if options["state"] == "absent":
        if found is None:
            return []
        return [Action("volume", "remove", name, "", {"state": "present"}, {"state": "absent"})]
    spec = {row.name: options[row.name] for row in ROWS if options.get(row.name) is not None}
    body = {"Name": name, **_fields.body(ROWS, options)}
    body["Labels"] = {**body.get("Labels", {}), **_ownership.labels(owner, spec)}
    after = {"state": "present", **spec}
    if found is None:
        return [Action("volume", "create", name, "", {"state": "absent"}, after, {"body": body})]
    shown = {**found, "DriverOpts": found.get("Options")}
    labels = found.get("Labels")
    sides = _fields.Sides(
        options, _ownership.applied(labels), shown, owned=_ownership.owner(labels) is not None
    )
    changes = _fields.changes(ROWS, sides)
    if not changes:
        return []
    names = ", ".join(change.row.name for change in changes)
    if not options.get("recreate"):
        raise FleetError(
            f"volume {name} exists with another {names}; a volume cannot be changed in place: "
            "set recreate to delete it with its data and make it anew"
        )
    if in_use := users():
        raise FleetError(
            f"volume {name} cannot be made anew while containers use it: remove "
            f"{', '.join(in_use)} first (state=absent)"
        )
    return [
        Action(
            "volume",
            "recreate",
            name,
            "cannot be changed in place",
            {change.row.name: change.before for change in changes},
            {change.row.name: change.after for change in changes},
            {"body": body},
        )
    ]


def apply(engine: Engine, action: Action) -> None:
    if action.verb in ("remove", "recreate"):
        engine.delete("volumes", action.name)
    if action.verb in ("create", "recreate"):
        engine.post("volumes", "create", body=action.data["body"])
