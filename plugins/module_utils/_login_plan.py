# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Logins at registries: plan and apply. They are kept in Docker's file, for whatever reads it."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _registry
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    FleetError,
    Invalid,
)
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

ARGUMENTS: dict[str, dict[str, Any]] = {
    "registry": {"type": "str", "default": "docker.io"},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "verify": {"type": "bool", "default": True},
    **_registry.ARGUMENTS,
}


def check(engine: Engine, options: dict[str, Any]) -> str:
    """Ask the registry; return the token that it gives in place of the password, if any.

    Raises FleetError.
    """
    where = _registry.address(options["registry"])
    for name in ("username", "password"):
        if not options.get(name):
            raise Invalid(f"{name}: needed with state=present")
    if not options["verify"]:
        return ""
    wish = {
        "username": options["username"],
        "password": options["password"],
        "serveraddress": where,
    }
    try:
        answer = engine.post("auth", body=wish)
    except EngineError as error:
        shown = f"{where}/-" if where != _registry.HUB else "-"
        told = _registry.explain(error, shown, wish)
        raise FleetError(f"cannot log in to {options['registry']}: {told}") from None
    # 204 is Moby's for a login without a token.
    return str((answer or {}).get("IdentityToken") or "")


def plan(options: dict[str, Any], file: dict[str, Any], token: str) -> list[Action]:
    """file: Docker's, as it is. token: what :func:`check` says. Raises Invalid."""
    where = _registry.address(options["registry"])
    helpers = file.get("credHelpers") or {}
    helper = helpers.get(where) or file.get("credsStore")
    if helper:
        raise Invalid(
            f"login_file: it leaves {where} to the credential helper {helper}, which davit does "
            "not run: name another file"
        )
    found = file.get("auths") or {}
    # Other programs write a registry in other ways.
    names = [name for name in found if _registry.address(name) == where]
    before = {"username": _username(found[names[0]]) if names else None}
    if options["state"] == "absent":
        if not names:
            return []
        return [Action("login", "remove", where, "", before, {"username": None}, {"names": names})]
    entry = _registry.entry(options["username"], options["password"], token)
    # A token is another one each time.
    same = names == [where] and all(
        found[where].get(key) == value or (key == "identitytoken" and found[where].get(key))
        for key, value in entry.items()
    )
    if same:
        return []
    after = {"username": options["username"]}
    reason = "with another password" if before == after else ""
    data = {"names": names, "entry": entry}
    verb = "change" if names else "create"
    return [Action("login", verb, where, reason, before, after, data)]


def apply(action: Action, path: str, file: dict[str, Any]) -> None:
    """Write the file. Raises FleetError."""
    gone = action.data["names"]
    auths = {name: item for name, item in (file.get("auths") or {}).items() if name not in gone}
    if action.verb != "remove":
        auths[action.name] = action.data["entry"]
    _registry.write(path, {**file, "auths": auths})


def _username(entry: dict[str, Any]) -> str:
    try:
        return _registry.decoded(entry).get("username", "")
    except ValueError:
        return ""
