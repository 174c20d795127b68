# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Secrets and configs: the plan.

The content of either is fixed for good. So a name stands for a row of versions, ``NAME_v1`` and so
on; other content makes a new one, and the services go over to it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields, _ownership
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

NAME = "net.davit.name"
"""Label with the name whose version an object is."""
HASH = "net.davit.hash"
"""Label with the salted hash of a secret's content, which no one can read back."""
_ROUNDS = 100_000
_LONGEST = 64

LABELS = _fields.Field(
    "labels",
    {"type": "dict"},
    "Labels",
    encode=lambda value: {key: str(item) for key, item in value.items()},
    entries=True,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "data": {"type": "str"},
    "data_file": {"type": "path"},
    "data_is_base64": {"type": "bool", "default": False},
    "versioned": {"type": "bool", "default": True},
    "keep_versions": {"type": "int", "default": 1},
    "update_services": {"type": "bool", "default": True},
    "template_driver": {"type": "str", "choices": ["golang"]},
    LABELS.name: LABELS.spec,
}


@dataclass(frozen=True)
class Kind:
    """name: secret or config. references: key of a container's spec that names them."""

    name: str
    references: str

    @property
    def path(self) -> str:
        return f"{self.name}s"

    @property
    def id_key(self) -> str:
        return f"{self.name.capitalize()}ID"

    @property
    def name_key(self) -> str:
        return f"{self.name.capitalize()}Name"

    @property
    def hidden(self) -> bool:
        """Whether engines do not give the content back."""
        return self.name == "secret"


SECRET = Kind("secret", "Secrets")
CONFIG = Kind("config", "Configs")


@dataclass(frozen=True)
class Plan:
    """name: of the object that the services are to use, empty when there is to be none."""

    name: str
    actions: list[Action]


def plan(
    kind: Kind,
    options: dict[str, Any],
    content: bytes,
    found: list[dict[str, Any]],
    services: list[dict[str, Any]],
) -> Plan:
    """found, services: the engine's lists. Raises FleetError where services stand in the way."""
    mine = _mine(options, found)
    if options["state"] == "absent":
        return Plan("", _removal(kind, options["name"], mine, services))
    # Only the newest: who names the row in a service means that one.
    if mine and _fits(kind, options, content, mine[0]):
        name = str(mine[0]["Spec"]["Name"])
        actions = _relabelled(kind, options, mine[0])
    elif options["versioned"]:
        name = _next_name(options["name"], found)
        actions = [_creation(kind, options, content, name, mine)]
    else:
        name = options["name"]
        actions = [_replacement(kind, options, content, mine, services)]
    if not options["versioned"]:
        return Plan(name, actions)
    others = [item for item in mine if item["Spec"]["Name"] != name]
    held = set()
    if options["update_services"]:
        actions += _moves(kind, name, others, services)
    else:
        held = {item["ID"] for item in others if _users(kind, item["ID"], services)}
    spare = others[max(options["keep_versions"], 0) :]
    actions += [
        _removed(kind, item, f"more than {options['keep_versions']} earlier versions")
        for item in spare
        if item["ID"] not in held
    ]
    return Plan(name, actions)


def digest(content: bytes, salt: str = "") -> str:
    """The value of the label HASH; slow and salted, for who may list secrets sees it."""
    salt = salt or os.urandom(16).hex()
    key = hashlib.pbkdf2_hmac("sha256", content, bytes.fromhex(salt), _ROUNDS)
    return f"pbkdf2-sha256:{salt}:{key.hex()}"


def _matches(content: bytes, label: str) -> bool:
    parts = label.split(":")
    if len(parts) != 3 or not re.fullmatch(r"([0-9a-f]{2})+", parts[1]):
        return False
    return digest(content, parts[1]) == label


def current(name: str, found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest version of a name, else the object of exactly this name. found: all of a kind."""
    candidates = [*_versions(name, found), *_exact(name, found)]
    return candidates[0] if candidates else None


def _mine(options: dict[str, Any], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects that the name stands for, the newest first."""
    if options["versioned"]:
        return _versions(options["name"], found)
    return _exact(options["name"], found)


def _exact(name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in found if item["Spec"]["Name"] == name]


def _versions(name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    versions = [item for item in found if (item["Spec"].get("Labels") or {}).get(NAME) == name]
    return sorted(
        versions, key=lambda item: _number(name, str(item["Spec"]["Name"])) or 0, reverse=True
    )


def _number(name: str, version: str) -> int | None:
    match = re.fullmatch(re.escape(name) + r"_v(\d+)", version)
    return int(match.group(1)) if match else None


def _next_name(name: str, found: list[dict[str, Any]]) -> str:
    """Taken numbers count, whoever made the object."""
    numbers = (_number(name, str(item["Spec"]["Name"])) for item in found)
    version = f"{name}_v{max((number or 0 for number in numbers), default=0) + 1}"
    if len(version) > _LONGEST:
        raise FleetError(f"name: {version} has more than {_LONGEST} characters; choose a shorter")
    return version


def _fits(kind: Kind, options: dict[str, Any], content: bytes, item: dict[str, Any]) -> bool:
    spec = item["Spec"]
    if ((spec.get("Templating") or {}).get("Name") or None) != options["template_driver"]:
        return False
    if kind.hidden:
        return _matches(content, (spec.get("Labels") or {}).get(HASH, ""))
    return _content(spec) == content


def _content(spec: dict[str, Any]) -> bytes:
    return base64.b64decode(spec.get("Data") or "")


def _creation(
    kind: Kind, options: dict[str, Any], content: bytes, name: str, mine: list[dict[str, Any]]
) -> Action:
    applied = {LABELS.name: options[LABELS.name]} if options[LABELS.name] is not None else {}
    labels = {**(LABELS.wire(options) or {}), **_ownership.labels("", applied)}
    if options["versioned"]:
        labels[NAME] = options["name"]
    if kind.hidden:
        labels[HASH] = digest(content)
    body = {"Name": name, "Labels": labels, "Data": base64.b64encode(content).decode()}
    if options["template_driver"]:
        body["Templating"] = {"Name": options["template_driver"]}
    before: dict[str, Any] = {"state": "absent"}
    after: dict[str, Any] = {"state": "present", **applied}
    reason = ""
    if mine:
        reason = f"{mine[0]['Spec']['Name']} has other content"
    if not kind.hidden:
        after["content"] = content.decode(errors="replace")
        if mine:
            before["content"] = _content(mine[0]["Spec"]).decode(errors="replace")
    return Action(kind.name, "create", name, reason, before, after, {"body": body})


def _replacement(
    kind: Kind,
    options: dict[str, Any],
    content: bytes,
    mine: list[dict[str, Any]],
    services: list[dict[str, Any]],
) -> Action:
    """One name, one object: it can only be made anew while nobody uses it."""
    name = options["name"]
    made = _creation(kind, options, content, name, mine)
    if not mine:
        return made
    users = _users(kind, mine[0]["ID"], services)
    if users:
        raise FleetError(
            f"{kind.name} {name} cannot get other content while services use it "
            f"({', '.join(users)}): set versioned, so that they go over to a new version"
        )
    before = {key: value for key, value in made.before.items() if key != "state"}
    after = {key: value for key, value in made.after.items() if key != "state"}
    if kind.hidden:
        before["content"], after["content"] = "hidden", "hidden, another"
    data = {**made.data, "id": mine[0]["ID"]}
    return Action(kind.name, "recreate", name, "has other content", before, after, data)


def _relabelled(kind: Kind, options: dict[str, Any], item: dict[str, Any]) -> list[Action]:
    """Labels are all that can be changed in place."""
    spec = item["Spec"]
    shown = spec.get("Labels") or {}
    applied = _ownership.applied(shown)
    changes = _fields.changes([LABELS], _fields.Sides(options, applied, spec))
    if not changes:
        return []
    wanted = LABELS.wire(options) or {}
    dropped = set(LABELS.last(applied) or {}) - set(wanted)
    labels = {key: value for key, value in shown.items() if key not in dropped}
    given = {LABELS.name: options[LABELS.name]} if options[LABELS.name] is not None else {}
    labels.update({**wanted, **_ownership.labels("", given)})
    before = {LABELS.name: changes[0].before}
    after = {LABELS.name: changes[0].after}
    data = {"id": item["ID"], "labels": labels}
    return [Action(kind.name, "update", str(spec["Name"]), "", before, after, data)]


def _moves(
    kind: Kind, name: str, others: list[dict[str, Any]], services: list[dict[str, Any]]
) -> list[Action]:
    """Let the services that use an earlier version, or one gone back from, use this one."""
    old = {item["ID"]: str(item["Spec"]["Name"]) for item in others}
    actions = []
    for service in services:
        used = [old[identity] for identity in _used(kind, service) if identity in old]
        if used:
            actions.append(
                Action(
                    "service",
                    "update",
                    str(service["Spec"]["Name"]),
                    f"uses an earlier version of the {kind.name}",
                    {kind.path: used},
                    {kind.path: [name]},
                    {"id": service["ID"], "from": sorted(old), "to": name},
                )
            )
    return actions


def _removal(
    kind: Kind, name: str, mine: list[dict[str, Any]], services: list[dict[str, Any]]
) -> list[Action]:
    users = sorted({user for item in mine for user in _users(kind, item["ID"], services)})
    if users:
        raise FleetError(
            f"{kind.name} {name} is in use by services ({', '.join(users)}): "
            "take it out of them, or remove them, first"
        )
    return [_removed(kind, item) for item in mine]


def _removed(kind: Kind, item: dict[str, Any], reason: str = "") -> Action:
    name, data = str(item["Spec"]["Name"]), {"id": item["ID"]}
    return Action(
        kind.name, "remove", name, reason, {"state": "present"}, {"state": "absent"}, data
    )


def _used(kind: Kind, service: dict[str, Any]) -> list[str]:
    container = (service["Spec"].get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return [item[kind.id_key] for item in container.get(kind.references) or []]


def _users(kind: Kind, identity: str, services: list[dict[str, Any]]) -> list[str]:
    """Names of the services that use the object."""
    return sorted(
        str(service["Spec"]["Name"]) for service in services if identity in _used(kind, service)
    )
