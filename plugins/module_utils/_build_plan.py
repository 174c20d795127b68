# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Building an image: plan and apply. A label tells of what an image was built."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _archive, _registry
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine, printed
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

BUILT_OF = "net.davit.built-of"
_SHOWN = 30  # lines of a build that failed

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "context": {"type": "path", "required": True},
    "source": {"type": "str", "choices": ["controller", "host"], "default": "controller"},
    # Set by the action plugin, which reads the context where it is.
    "context_digest": {"type": "str"},
    "context_archive": {"type": "path"},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "args": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "target": {"type": "str"},
    "platform": {"type": "str"},
    "network": {"type": "str"},
    "cache_from": {"type": "list", "elements": "str", "default": []},
    "nocache": {"type": "bool", "default": False},
    "pull": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "login_file": _registry.ARGUMENTS["login_file"],
}
# What makes another image of the same context; the others are about how it is built.
_COUNT = ("dockerfile", "args", "labels", "target", "platform", "network")


def key(options: dict[str, Any], context: str) -> str:
    """What an image is built of, as a digest. context: its digest."""
    what = [context, {name: options[name] for name in _COUNT}]
    return "sha256:" + hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def plan(options: dict[str, Any], found: dict[str, Any] | None, wanted: str) -> list[Action]:
    """found: inspect, or None. wanted: what :func:`key` says."""
    labels = ((found or {}).get("Config") or {}).get("Labels") or {}
    built_of = labels.get(BUILT_OF)
    if built_of == wanted and not options["force"]:
        return []
    if found is None:
        reason = ""
    elif built_of is None:
        reason = "the one that is there was not built by the fleet"
    else:
        reason = "forced" if built_of == wanted else "the context or an option is another one"
    before = {"id": found["Id"] if found else None}
    data = {"key": wanted}
    return [
        Action("image", "build", options["name"], reason, before, {"id": "as it is built"}, data)
    ]


def query(options: dict[str, Any], wanted: str) -> dict[str, Any]:
    """Parameters of ``POST /build``."""
    labels = {name: str(value) for name, value in options["labels"].items()}
    asked = {
        "t": _archive.normal(options["name"]),
        "dockerfile": options["dockerfile"],
        "buildargs": {name: str(value) for name, value in options["args"].items()},
        "labels": {**labels, BUILT_OF: wanted},
        "target": options["target"],
        "platform": options["platform"],
        "networkmode": options["network"],
        "cachefrom": options["cache_from"] or None,
        "nocache": options["nocache"],
        "pull": options["pull"],
        # The container of a command that failed is nothing that a fleet looks at.
        "forcerm": True,
    }
    return {name: value for name, value in asked.items() if value is not None}


def apply(engine: Engine, action: Action, options: dict[str, Any], context: str) -> dict[str, Any]:
    """Build; return what the task has of it. context: a tar on this host. Raises FleetError."""
    logins = _registry.logins(_registry.login_file(options))
    try:
        messages = engine.build(context, query(options, action.data["key"]), logins)
    except EngineError as error:
        lines = error.output.splitlines()[-_SHOWN:]
        told = "\n".join([f"image {action.name}: {error.message}", *lines])
        raise FleetError(told) from None
    found = engine.get("images", _archive.normal(action.name), "json")
    return {
        "changed": found["Id"] != action.before["id"],
        "id": found["Id"],
        "output": printed(messages),
    }
