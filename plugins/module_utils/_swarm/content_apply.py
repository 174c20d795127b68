# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets and configs: from a module's options to its result."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import (
    ARGUMENTS,
    Kind,
    plan,
)


def main(kind: Kind) -> None:
    """The whole of a module for one of them."""
    arguments = {**ARGUMENTS, "data": {"type": "str", "no_log": kind.hidden}}
    module = _module.make(
        arguments,
        mutually_exclusive=[("data", "data_file")],
        required_if=[("state", "present", ("data", "data_file"), True)],
    )
    options = _module.options(module, arguments)
    wanted = {"name": ""}

    def decide(engine: Engine) -> list[Action]:
        manager = run.managed(module, engine)
        content = _content(options)
        found, services = manager.get(kind.path), manager.get("services")
        decided = plan(kind, options, content, found or [], services or [])
        wanted["name"] = decided.name
        return decided.actions

    def tell(engine: Engine, actions: list[Action]) -> dict[str, Any]:
        name = wanted["name"]
        known = name and not (module.check_mode and _makes(kind, actions))
        return {kind.name: {"name": name, "id": _id(engine, kind, name) if known else ""}}

    run.finish(module, decide, lambda engine, action: _apply(engine, kind, action), tell)


def _content(options: dict[str, Any]) -> bytes:
    """The bytes that are declared. Raises Invalid."""
    if options["state"] == "absent":
        return b""
    if options["data_file"] is not None:
        try:
            with open(options["data_file"], "rb") as file:
                content = file.read()
        except OSError as error:
            raise Invalid(f"data_file: {options['data_file']}: {error.strerror}") from None
    else:
        content = options["data"].encode()
    if not options["data_is_base64"]:
        return content
    try:
        return base64.b64decode(content, validate=False)
    except binascii.Error as error:
        raise Invalid(f"data: is not base64: {error}") from None


def _makes(kind: Kind, actions: list[Action]) -> bool:
    return any(
        action.kind == kind.name and action.verb in ("create", "recreate") for action in actions
    )


def _id(engine: Engine, kind: Kind, name: str) -> str:
    return str(engine.get(kind.path, name)["ID"])


def _apply(engine: Engine, kind: Kind, action: Action) -> None:
    data = action.data
    if action.kind == "service":
        identity = _id(engine, kind, data["to"])
        # What runs goes by the registry's credentials that the service has.
        run.update(
            engine,
            "services",
            data["id"],
            lambda spec: _refer(kind, spec, data["from"], identity, data["to"]),
            registryAuthFrom="spec",
        )
        return
    if action.verb == "update":
        run.update(engine, kind.path, data["id"], lambda spec: _relabel(spec, data["labels"]))
        return
    if action.verb in ("remove", "recreate"):
        engine.delete(kind.path, data["id"])
    if action.verb in ("create", "recreate"):
        engine.post(kind.path, "create", body=data["body"])


def _refer(kind: Kind, spec: dict[str, Any], old: list[str], identity: str, name: str) -> None:
    """Files in the containers keep their names, owners and modes."""
    for item in spec["TaskTemplate"]["ContainerSpec"].get(kind.references) or []:
        if item[kind.id_key] in old:
            item[kind.id_key], item[kind.name_key] = identity, name


def _relabel(spec: dict[str, Any], labels: dict[str, str]) -> None:
    spec["Labels"] = labels
