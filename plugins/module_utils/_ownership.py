# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Labels by which the fleet knows its objects again, and what it asked of them last."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError

OWNER = "net.davit.owner"
APPLIED = "net.davit.applied"


def labels(owner: str, spec: dict[str, Any]) -> dict[str, str]:
    """Labels of a new object. owner: the workload's project, empty for a single module's object."""
    return {OWNER: owner, APPLIED: json.dumps(spec, sort_keys=True, separators=(",", ":"))}


def owner(found: dict[str, str] | None) -> str | None:
    """The owner among an object's labels, None when the fleet did not make it."""
    return (found or {}).get(OWNER)


def applied(found: dict[str, str] | None) -> dict[str, Any]:
    """The options that were given when the object was made; none when that is not known."""
    try:
        spec = json.loads((found or {}).get(APPLIED, "{}"))
    except ValueError:
        return {}
    return spec if isinstance(spec, dict) else {}


def foreign(found: dict[str, str] | None) -> dict[str, str]:
    """An object's labels without the fleet's own."""
    return {key: value for key, value in (found or {}).items() if key not in (OWNER, APPLIED)}


def check(
    kind: str, name: str, found: dict[str, str] | None, mine: str, options: dict[str, Any]
) -> None:
    """Refuse to act on what belongs to somebody else. mine: as owner of :func:`labels`.

    A workload acts on its own objects. A module of one object acts on those of no workload too,
    for its user has named the object; so a task that only stops or restarts may name any.
    Raises FleetError.
    """
    theirs = owner(found)
    if options.get("adopt") or theirs == mine or (not mine and not (theirs and _declares(options))):
        return
    whose = f"belongs to workload {theirs!r}" if theirs else "was not made by this workload"
    raise FleetError(
        f"{kind} {name} is there already and {whose}: choose another name, remove it, or set "
        f"adopt on it to take it over"
    )


def _declares(options: dict[str, Any]) -> bool:
    """A task for a container without an image does not declare it but acts on it."""
    return "image" not in options or bool(options["image"]) or options["state"] == "absent"
