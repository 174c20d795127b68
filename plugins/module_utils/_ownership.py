# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Labels by which the fleet knows its objects again, and what it asked of them last."""

from __future__ import annotations

import json
from typing import Any

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
