# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: a service as it is and as it is declared → actions."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import (
    _fields,
    _ownership,
    _registry,
)
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import CONFIG, SECRET
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import (
    files,
    network,
    process,
    schedule,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.image import (
    Choice,
    Pinned,
    choose,
)

ROWS = [*process.ROWS, *files.ROWS, *network.ROWS, *schedule.ROWS]

# Options about the run of the module and not about the service: never kept as applied.
_CONTROL: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "env_files": {"type": "list", "elements": "path"},
    "resolve_image": {
        "type": "str",
        "choices": ["always", "changed", "never"],
        "default": "changed",
    },
    "with_registry_auth": {"type": "bool", "default": False},
    **_registry.ARGUMENTS,
    "rollback": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "resume": {"type": "str"},
}

ARGUMENTS: dict[str, dict[str, Any]] = {
    **_CONTROL,
    "image": {"type": "str"},
    **{row.name: row.spec for row in ROWS},
}

_IMAGE = "TaskTemplate.ContainerSpec.Image"
_PLATFORMS = "TaskTemplate.Placement.Platforms"
_FORCED = "TaskTemplate.ForceUpdate"


@dataclass(frozen=True)
class Facts:
    """What the engine tells.

    found: the service, None when there is none. secrets, configs: its lists. networks: names of
    those that are named by ID, by ID. pinned: what a registry says of the image, None when it was
    not asked. lenient: in check mode, secrets and configs may be yet to come.
    """

    found: dict[str, Any] | None = None
    secrets: list[dict[str, Any]] = field(default_factory=list)
    configs: list[dict[str, Any]] = field(default_factory=list)
    networks: dict[str, str] = field(default_factory=dict)
    pinned: Pinned | None = None
    lenient: bool = False


def plan(options: dict[str, Any], facts: Facts) -> list[Action]:
    """Raises Invalid, FleetError."""
    name, found = options["name"], facts.found
    if found is not None:
        _ownership.check("service", name, found["Spec"].get("Labels"), "", options)
    if options["state"] == "absent":
        return [] if found is None else [_action("remove", name, _PRESENT, _ABSENT, _id(found))]
    if options["rollback"]:
        return _rollback(options, found)
    wanted = _resolved(options, facts)
    if found is None:
        return [_creation(options, wanted, facts)]
    return _converge(options, wanted, found, facts)


def shown_image(found: dict[str, Any] | None) -> str:
    """A service's image, with its digest; empty for no service."""
    return str(_fields.dig((found or {}).get("Spec") or {}, _IMAGE) or "")


_PRESENT, _ABSENT = {"state": "present"}, {"state": "absent"}


def _id(found: dict[str, Any]) -> dict[str, Any]:
    return {"id": found["ID"]}


def _action(
    verb: str, name: str, before: dict[str, Any], after: dict[str, Any], data: dict[str, Any]
) -> Action:
    return Action("service", verb, name, data.pop("reason", ""), before, after, data)


def _resolved(options: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """The options, with what names stand for. Raises Invalid, FleetError."""
    wanted = dict(options)
    for kind, found in ((SECRET, facts.secrets), (CONFIG, facts.configs)):
        wanted[kind.path] = files.named(kind, options, found, facts.lenient)
    if options["networks"] is not None:
        given = files.items("networks", options["networks"], "name", network.KNOWN)
        wanted["networks"] = [
            {**item, "name": facts.networks.get(item["name"], item["name"])} for item in given
        ]
    return wanted


def _applied(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are kept on the service as last applied."""
    return {key: value for key, value in _fields.given(options).items() if key not in _CONTROL}


def _creation(options: dict[str, Any], wanted: dict[str, Any], facts: Facts) -> Action:
    name = options["name"]
    if not options["image"]:
        raise Invalid("image: needed, because the service does not exist")
    chosen = choose(options, "", facts.pinned)
    _check_mode(options, options["mode"] or "replicated")
    after = {**_PRESENT, **_applied(options), "image": chosen.name}
    return _action("create", name, _ABSENT, after, {"body": _body(options, wanted, chosen)})


def _body(options: dict[str, Any], wanted: dict[str, Any], chosen: Choice) -> dict[str, Any]:
    spec = schedule.unview(_fields.body(ROWS, wanted))
    _set_image(spec, chosen)
    own = _ownership.labels("", _applied(options))
    return {**spec, "Name": options["name"], "Labels": {**spec.get("Labels", {}), **own}}


def _set_image(spec: dict[str, Any], chosen: Choice) -> None:
    _fields.plant(spec, _IMAGE, chosen.name)
    if chosen.platforms is not None:
        # Whatever was there came with another image.
        unset(spec, _PLATFORMS)
        if chosen.platforms:
            _fields.plant(spec, _PLATFORMS, chosen.platforms)


def _check_mode(options: dict[str, Any], mode: str) -> None:
    if options["replicas"] is not None and mode in ("global", "global-job"):
        raise Invalid(f"replicas: a service of the mode {mode} has one task a node")
    if options["max_concurrent"] is not None and mode != "replicated-job":
        raise Invalid("max_concurrent: only for the mode replicated-job")


def _converge(
    options: dict[str, Any], wanted: dict[str, Any], found: dict[str, Any], facts: Facts
) -> list[Action]:
    name, spec = options["name"], found["Spec"]
    labels = spec.get("Labels") or {}
    # Without an image it is not declared but only acted on: what is not given stays.
    declared = bool(options["image"])
    flat = schedule.view(_with_network_names(spec, facts.networks))
    _check_mode(options, options["mode"] or flat["Mode"]["Kind"])
    sides = _fields.Sides(
        wanted=wanted,
        applied=_ownership.applied(labels) if declared else {},
        shown=flat,
        owned=declared and _ownership.owner(labels) is not None,
    )
    changes = _fields.changes(ROWS, sides)
    before = {change.row.name: change.before for change in changes}
    after = {change.row.name: change.after for change in changes}
    chosen = choose(options, shown_image(found), facts.pinned) if declared else None
    if chosen is not None and chosen.name != shown_image(found):
        before["image"], after["image"] = shown_image(found), chosen.name
    else:
        chosen = None
    if "mode" in after:
        return [_made_anew(options, wanted, facts, before, after)]
    reason = ""
    if options["force"]:
        reason = "force is set"
        before["forced"] = _fields.dig(spec, _FORCED) or 0
        after["forced"] = before["forced"] + 1
    if not after:
        return []
    data = {
        **_id(found),
        "reason": reason,
        "changes": changes,
        "image": chosen,
        "force": options["force"],
        "applied": _applied(options) if declared else None,
        "tasks": _touches_tasks(after),
    }
    return [_action("update", name, before, after, data)]


def _touches_tasks(after: dict[str, Any]) -> bool:
    """Whether tasks may come or go for it."""
    rest = {"labels", "update_config", "rollback_config"}
    return bool(set(after) - rest)


def _made_anew(
    options: dict[str, Any],
    wanted: dict[str, Any],
    facts: Facts,
    before: dict[str, Any],
    after: dict[str, Any],
) -> Action:
    name, found = options["name"], facts.found or {}
    if not (options["recreate"] and options["image"]):
        raise FleetError(
            f"service {name}: a swarm cannot change the mode of a service ({before['mode']}, not "
            f"{after['mode']}): set recreate (with image) to have it removed and made anew"
        )
    chosen = choose(options, shown_image(found), facts.pinned)
    if chosen.platforms is None:
        chosen = Choice(chosen.name, _fields.dig(found["Spec"], _PLATFORMS) or [])
    data = {
        **_id(found),
        "reason": "the mode cannot be changed in place",
        "body": _body(options, wanted, chosen),
    }
    return _action("recreate", name, before, after, data)


def _with_network_names(spec: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    template = spec.get("TaskTemplate") or {}
    shown = template.get("Networks") or spec.get("Networks") or []
    named = [{**item, "Target": names.get(item["Target"], item["Target"])} for item in shown]
    return {**spec, "TaskTemplate": {**template, "Networks": named}}


def write(spec: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """A service's specification with an update's changes. data: that of the action."""
    flat: dict[str, Any] = schedule.view(copy.deepcopy(spec))
    for change in data["changes"]:
        path = change.row.path
        if change.row.entries:
            shown = _fields.dig(flat, path) or {}
            kept = {key: item for key, item in shown.items() if key not in change.before}
            kept.update(change.after)
            unset(flat, path)
            if kept:
                _fields.plant(flat, path, kept)
        else:
            unset(flat, path)
            if change.value is not None:
                _fields.plant(flat, path, change.value)
    made = schedule.unview(flat)
    if data["image"] is not None:
        _set_image(made, data["image"])
    if data["force"]:
        _fields.plant(made, _FORCED, (_fields.dig(made, _FORCED) or 0) + 1)
    if data["applied"] is not None:
        own = _ownership.labels("", data["applied"])
        made["Labels"] = {**(made.get("Labels") or {}), **own}
    return made


def unset(tree: dict[str, Any], path: str) -> None:
    """Take what stands at a dotted path away, and what is empty without it."""
    *steps, last = path.split(".")
    nodes = [tree]
    for step in steps:
        node = nodes[-1].get(step)
        if not isinstance(node, dict):
            return
        nodes.append(node)
    nodes[-1].pop(last, None)
    for parent, step in reversed(list(zip(nodes, steps))):
        if parent[step]:
            break
        del parent[step]


def _rollback(options: dict[str, Any], found: dict[str, Any] | None) -> list[Action]:
    name = options["name"]
    given = [row.name for row in ROWS if options[row.name] is not None]
    if given or options["image"]:
        raise Invalid(
            f"rollback: not together with {', '.join(given or ['image'])}: it takes the service "
            "back to what it was before its last update"
        )
    if found is None:
        raise FleetError(f"service {name} cannot be rolled back: there is none")
    state = str((found.get("UpdateStatus") or {}).get("State") or "")
    # Once more would bring back what it was rolled back from.
    if state.startswith("rollback"):
        return []
    previous = found.get("PreviousSpec")
    if not previous:
        raise FleetError(f"service {name} cannot be rolled back: it was never updated")
    sides = [schedule.view(spec) for spec in (found["Spec"], previous)]
    before, after = {}, {}
    for row in ROWS:
        shown, last = (row.canon(_fields.dig(side, row.path)) for side in sides)
        if row.name == "labels":
            shown, last = _ownership.foreign(shown), _ownership.foreign(last)
        if shown != last:
            before[row.name], after[row.name] = shown, last
    images = [str(_fields.dig(side, _IMAGE)) for side in sides]
    if images[0] != images[1]:
        before["image"], after["image"] = images
    data = {**_id(found), "reason": "rollback is set"}
    return [_action("rollback", name, before, after, data)]
