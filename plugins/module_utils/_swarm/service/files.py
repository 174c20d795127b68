# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: mounts, secrets and configs; and which version of the latter a name stands for."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import (
    CONFIG,
    SECRET,
    Kind,
    current,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.rows import (
    CONTAINER,
    shared,
    since,
)

_KNOWN = ("source", "target", "uid", "gid", "mode")
_MODE = 0o444


def items(option: str, value: list[Any], key: str, known: tuple[str, ...]) -> list[dict[str, Any]]:
    """Entries that are a name or a dictionary with one under ``key``, as such. Raises Invalid."""
    found = []
    for index, given in enumerate(value):
        item = {key: given} if isinstance(given, str) else given
        if not isinstance(item, dict) or not item.get(key):
            raise Invalid(f"{option}[{index}]: a name, or a dictionary with {key}, is needed")
        unknown = sorted(set(item) - set(known))
        if unknown:
            raise Invalid(f"{option}[{index}].{unknown[0]}: unknown; known are {', '.join(known)}")
        found.append(item)
    return found


def named(
    kind: Kind, options: dict[str, Any], found: list[dict[str, Any]], lenient: bool
) -> list[dict[str, Any]] | None:
    """The option with the object that each name stands for: its name and ID, beside the source.

    found: the engine's list. lenient: take what is not there for what an earlier task makes.
    Raises Invalid, FleetError.
    """
    option = kind.path
    if options.get(option) is None:
        return None
    result = []
    for item in items(option, options[option], "source", _KNOWN):
        name = str(item["source"])
        version = current(name, found)
        if version is None and not lenient:
            raise FleetError(
                f"{option}: there is no {kind.name} {name}: declare it first (davit.fleet."
                f"{kind.name})"
            )
        shown = {"id": "", "name": name} if version is None else _identity(version)
        result.append({**item, **shown})
    return result


def _identity(version: dict[str, Any]) -> dict[str, str]:
    return {"id": str(version["ID"]), "name": str(version["Spec"]["Name"])}


def _row(kind: Kind) -> Field:
    def encode(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_reference(kind, item) for item in value]

    def canon(value: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        shown = [_shown(kind, item) for item in value or []]
        return sorted(shown, key=lambda item: str(item["target"]))

    # Names of secrets, not secrets.
    spec = {"type": "list", "elements": "raw", "no_log": False}
    path = f"{CONTAINER}.{kind.references}"
    return Field(kind.path, spec, path, encode=encode, canon=canon, live=lambda value: True)


def _reference(kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
    # The file is called as the source is, whatever its version.
    target = item.get("target") or item["source"]
    return {
        kind.id_key: item.get("id") or "",
        kind.name_key: item.get("name") or "",
        "File": {
            "Name": str(target),
            "UID": str(item.get("uid") or 0),
            "GID": str(item.get("gid") or 0),
            "Mode": _mode(kind, item.get("mode")),
        },
    }


def _mode(kind: Kind, value: Any) -> int:
    if value is None:
        return _MODE
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            pass
    # YAML reads 0400 as 256 or as 400, depending on who wrote the parser.
    raise ValueError(f"mode: {value!r} is not octal digits in quotes, as '0400' is")


def _shown(kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
    file = item.get("File") or {}
    return {
        "source": item[kind.name_key],
        "target": file.get("Name") or "",
        "uid": file.get("UID") or "0",
        "gid": file.get("GID") or "0",
        "mode": f"{file.get('Mode') or 0:04o}",
    }


ROWS = [
    shared("mounts", f"{CONTAINER}.Mounts", since=since("mounts")),
    _row(SECRET),
    _row(CONFIG),
]
