# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pushing an image: plan and apply."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _archive, _image_plan, _registry
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    FleetError,
    Invalid,
)
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str"},
    **_registry.ARGUMENTS,
}
# What some registries say of a repository that is yet to come.
_DENIED = re.compile(r"\bdenied\b|insufficient_scope", re.IGNORECASE)


def plan(
    options: dict[str, Any],
    image: dict[str, Any] | None,
    named: dict[str, Any] | None,
    remote: str | None,
) -> list[Action]:
    """image: inspect of what is to be pushed, named: of what has the name now.

    remote: the digest that the registry has under the name. Without the image, which check mode
    may meet, the plan is to push it. Raises Invalid.
    """
    name = options["name"]
    if "@" in name:
        raise Invalid("name: a push needs a tag; the registry makes the digest")
    actions = []
    if image is not None and (named is None or named["Id"] != image["Id"]):
        before = {"id": named["Id"] if named else None}
        data = {"id": image["Id"]}
        actions = [Action("image", "tag", name, "", before, {"id": image["Id"]}, data)]
    if image is not None and remote is not None and remote in _image_plan.digests(image, name):
        return actions
    reason = "the registry has another one" if remote else ""
    after = {"pushed": image["Id"] if image else "as it will be"}
    return [*actions, Action("image", "push", name, reason, {"pushed": remote}, after)]


def remote(engine: Engine, options: dict[str, Any]) -> str | None:
    """The digest in the registry; None for none, and where only a push can tell.

    Raises FleetError.
    """
    name, used = options["name"], _registry.auth(options["name"], options)
    if not _image_plan.can_ask(engine):
        return None
    try:
        return engine.remote_digest(_archive.normal(name), used)
    except EngineError as error:
        if _DENIED.search(error.message):
            return None
        raise FleetError(f"image {name}: {_registry.explain(error, name, used)}") from None


def apply(engine: Engine, action: Action, options: dict[str, Any]) -> dict[str, Any]:
    """Carry out an action; return the digest of what was pushed. Raises FleetError."""
    if action.verb == "tag":
        _image_plan.apply(engine, action)
        return {}
    used = _registry.auth(action.name, options)
    repository, _colon, tag = _archive.normal(action.name).rpartition(":")
    try:
        messages = engine.push(repository, tag, used)
    except EngineError as error:
        told = _registry.explain(error, action.name, used)
        raise FleetError(f"image {action.name}: {told}") from None
    found = [message["aux"]["Digest"] for message in messages if "Digest" in message.get("aux", {})]
    return {"digest": found[-1]} if found else {}
