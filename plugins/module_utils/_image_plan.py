# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Images: plan and apply."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _archive
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "source": {
        "type": "str",
        "choices": ["controller", "host", "local", "registry"],
        "default": "registry",
    },
    "archive": {"type": "path"},
    # Set by the action plugin, which reads the archive where it is, and sends what is asked for.
    "archive_ids": {"type": "list", "elements": "str"},
    "archive_layers": {"type": "list", "elements": "str"},
    "archive_parts": {"type": "list", "elements": "str"},
    "pull": {"type": "str", "choices": ["always", "missing"], "default": "missing"},
    "force": {"type": "bool", "default": False},
}


def identity(options: dict[str, Any]) -> list[str]:
    """IDs of the image that an archive brings, empty when it comes from elsewhere.

    Reads the archive when it is on the host. Raises Invalid.
    """
    source = options["source"]
    if options["state"] == "absent" or source in ("local", "registry"):
        return []
    if not options.get("archive"):
        raise Invalid(f"archive: needed with source={source}")
    if source == "controller":
        if options.get("archive_ids") is None:
            raise Invalid("source: controller needs the action plugin; use it in a playbook task")
        return list(options["archive_ids"])
    return _archive.identify(options["archive"], options["name"]).ids


def lacking(layers: list[str], chains: set[str]) -> list[str]:
    """Which layers an engine lacks that has these chains: what stands on another base counts not.

    Engines keep layers by what is below them, too (Moby does).
    """
    return [diff_id for diff_id, chain in zip(layers, chain_ids(layers)) if chain not in chains]


def chain_ids(layers: list[str]) -> list[str]:
    """Name each layer with all that is below it (OCI image specification, config.md, ChainID)."""
    found: list[str] = []
    for diff_id in layers:
        both = f"{found[-1]} {diff_id}".encode() if found else b""
        found.append("sha256:" + hashlib.sha256(both).hexdigest() if both else diff_id)
    return found


def plan(
    options: dict[str, Any],
    found: dict[str, Any] | None,
    ids: list[str],
    present: str | None = None,
    lacking: list[str] | None = None,
) -> list[Action]:
    """found: inspect, or None. ids: what :func:`identity` says.

    present: the one of the ids that is on the host under another name, or under none.
    lacking: diff IDs of the layers that the host needs, None for the whole archive.
    Raises FleetError.
    """
    name = options["name"]
    before = {"id": found["Id"] if found else None}
    if options["state"] == "absent":
        if found is None:
            return []
        data = {"force": options.get("force") or False}
        return [Action("image", "remove", name, "", before, {"id": None}, data)]
    if ids:
        if found is not None and found["Id"] in ids:
            return []
        if present is not None:
            return [Action("image", "tag", name, "", before, {"id": present}, {"id": present})]
        parts = options["archive_parts"]
        if options["source"] == "host":
            parts = [options["archive"]]
        data = {"archive": options["archive"], "ids": ids, "parts": parts, "lacking": lacking}
        return [Action("image", "load", name, "", before, {"id": ids[0]}, data)]
    if options["source"] == "registry" and (found is None or options["pull"] == "always"):
        return [Action("image", "pull", name, "", before, {"id": "as in the registry"})]
    if found is None:
        raise FleetError(f"image {name} is not on the host; name a source that has it")
    return []


def apply(engine: Engine, action: Action) -> bool:
    """Carry out an action; return whether it changed anything."""
    if action.verb == "remove":
        engine.delete("images", action.name, force=action.data["force"])
        return True
    if action.verb == "pull":
        engine.pull(_archive.normal(action.name))
        found = engine.get("images", _archive.normal(action.name), "json")
        return bool(found["Id"] != action.before["id"])
    if action.verb == "tag":
        _tag(engine, action.data["id"], action.name)
        return True
    engine.load(action.data["parts"])
    loaded = next(
        (image for image in action.data["ids"] if engine.find("images", image, "json")), None
    )
    if loaded is None:
        raise FleetError(
            f"image {action.name}: {action.data['archive']} was loaded, but the engine does not "
            f"show {action.data['ids'][0]}"
        )
    named = engine.find("images", _archive.normal(action.name), "json")
    if named is None or named["Id"] not in action.data["ids"]:
        _tag(engine, loaded, action.name)
    return True


def _tag(engine: Engine, image: str, name: str) -> None:
    repository, _sep, tag = _archive.normal(name).rpartition(":")
    engine.post("images", image, "tag", repo=repository, tag=tag)
