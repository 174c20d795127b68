# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Images: plan and apply."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _archive, _registry
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    FleetError,
    Invalid,
)
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
    "pull": {"type": "str", "choices": ["always", "missing", "never"], "default": "missing"},
    "platform": {"type": "str"},
    "force": {"type": "bool", "default": False},
    **_registry.ARGUMENTS,
}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}
# The API that has GET /distribution/{name}/json.
_ASKS = (1, 30)


_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}\Z")


def find(engine: Engine, name: str) -> dict[str, Any] | None:
    """Inspect an image by its name or, if nothing is called so, by its ID; None when there is none.

    Without the tag the API would find the beginning of an ID, too: ``cafe`` may be anybody.
    """
    found: dict[str, Any] | None = engine.find("images", _archive.normal(name), "json")
    if found is None and _ID.match(name):
        found = engine.find("images", name, "json")
    return found


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
    latest: str | None = None,
) -> list[Action]:
    """found: inspect, or None. ids: what :func:`identity` says.

    present: the one of the ids that is on the host under another name, or under none.
    lacking: diff IDs of the layers that the host needs, None for the whole archive.
    latest: the digest that the registry has, where that counts (see :func:`asks`).
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
    platform = options.get("platform")
    if options["source"] == "registry" and options["pull"] != "never":
        reason = None
        if found is None:
            reason = ""
        elif not fits(found, platform):
            reason = f"it is for {_shown_platform(found)}"
        elif latest == "":
            reason = "to see whether there is a newer one"
        elif latest is not None and latest not in digests(found, name):
            reason = "the registry has another one"
        if reason is not None:
            data = {"options": options, "latest": latest}
            after = {"id": "as in the registry"}
            return [Action("image", "pull", name, reason, before, after, data)]
    if found is None:
        raise FleetError(f"image {name} is not on the host; name a source that has it")
    if not fits(found, platform):
        raise FleetError(
            f"image {name} on the host is for {_shown_platform(found)}, not for {platform}"
        )
    return []


def asks(options: dict[str, Any], found: dict[str, Any] | None) -> bool:
    """Whether the plan depends on what the registry has now. A digest never means another image."""
    return (
        found is not None
        and options["state"] == "present"
        and (options["source"], options["pull"]) == ("registry", "always")
        and "@" not in options["name"]
    )


def latest(engine: Engine, options: dict[str, Any]) -> str:
    """The digest of an image in its registry; empty when the engine has no way to ask.

    Raises FleetError in words that help.
    """
    name, used = options["name"], _registry.auth(options["name"], options)
    if not can_ask(engine):
        return ""
    try:
        digest = engine.remote_digest(_archive.normal(name), used)
    except EngineError as error:
        raise FleetError(f"image {name}: {_registry.explain(error, name, used)}") from None
    if digest is None:
        raise FleetError(f"image {name}: its registry does not have it (any more)")
    return digest


def can_ask(engine: Engine) -> bool:
    """Whether the engine can tell what a registry has."""
    return engine.api_version >= _ASKS


def digests(found: dict[str, Any], name: str) -> list[str]:
    """The digests by which an image is known in a repository."""
    repository = _repository(name)
    pairs = [item.rpartition("@") for item in found.get("RepoDigests") or []]
    return [digest for known, _at, digest in pairs if _repository(known) == repository]


def fits(found: dict[str, Any], platform: str | None) -> bool:
    """Whether an image is for a platform, ``[os/]architecture[/variant]``."""
    if not platform:
        return True
    parts = platform.lower().split("/")
    if len(parts) == 1 and parts[0] != "linux":
        parts = ["linux", *parts]
    shown = [found.get(key) or "" for key in ("Os", "Architecture", "Variant")]
    wanted = [_MACHINES.get(part, part) for part in parts]
    # Many images don't tell their variant.
    return all(one in (two, "") or not two for one, two in zip(wanted, shown))


def _shown_platform(found: dict[str, Any]) -> str:
    return "/".join(found[key] for key in ("Os", "Architecture", "Variant") if found.get(key))


def _repository(name: str) -> str:
    return _archive.normal(name.partition("@")[0]).rpartition(":")[0]


def apply(engine: Engine, action: Action) -> bool:
    """Carry out an action; return whether it changed anything."""
    if action.verb == "remove":
        engine.delete("images", action.name, force=action.data["force"])
        return True
    if action.verb == "pull":
        return _pull(engine, action)
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


def _pull(engine: Engine, action: Action) -> bool:
    name, options = action.name, action.data["options"]
    platform = options.get("platform") or ""
    used = _registry.auth(name, options)
    try:
        engine.pull(_archive.normal(name), platform, used)
    except EngineError as error:
        raise _registry.explain(error, name, used) from None
    found = engine.get("images", _archive.normal(name), "json")
    if not fits(found, platform):
        raise FleetError(f"the registry has it for {_shown_platform(found)}, not for {platform}")
    # Another digest of the same image is a change, too: as the plan has told.
    return bool(action.data["latest"]) or bool(found["Id"] != action.before["id"])


def _tag(engine: Engine, image: str, name: str) -> None:
    repository, _sep, tag = _archive.normal(name).rpartition(":")
    engine.post("images", image, "tag", repo=repository, tag=tag)
