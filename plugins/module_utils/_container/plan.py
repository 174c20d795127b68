# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: a container's facts and what is wanted → actions."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields, _ownership
from ansible_collections.davit.fleet.plugins.module_utils._container import (
    endpoints,
    health,
    identity,
    mounts,
    network,
    resources,
    security,
)
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

ROWS = [
    *identity.ROWS,
    *resources.ROWS,
    *security.ROWS,
    *mounts.ROWS,
    *network.ROWS,
    *health.ROWS,
]

STATES = ["absent", "healthy", "present", "started", "stopped"]

# Options about the run of the module and not about the container: never kept as applied.
_CONTROL: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": STATES, "default": "started"},
    "recreate": {"type": "bool", "default": False},
    "restart": {"type": "bool", "default": False},
    "renamed_from": {"type": "str"},
    "healthy_timeout": {"type": "int", "default": 300},
    "remove_volumes": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
}

ARGUMENTS: dict[str, dict[str, Any]] = {
    **_CONTROL,
    "image": {"type": "str"},
    "platform": {"type": "str"},
    "networks": {"type": "list", "elements": "raw"},
    **{row.name: row.spec for row in ROWS},
}

# In the middle of a recreation the old container has this behind its name.
ASIDE = ".davit-old"
_RUNNING = ("running", "restarting", "paused")


def plan(
    options: dict[str, Any],
    found: dict[str, Any] | None,
    image: dict[str, Any] | None,
    owner: str,
    aside: dict[str, Any] | None = None,
) -> list[Action]:
    """Return what brings a container to the wanted state, in order.

    options: the module's options, None for what is not given. found: inspect, or None.
    image: ``{"Id", "Config"}`` of the wanted image, None when it is not there; no Id when it is
    yet to be pulled.
    aside: a container that an interrupted recreation left under the name with ASIDE behind it.
    Raises Invalid, FleetError.
    """
    name = options["name"]
    actions: list[Action] = []
    if aside is not None:
        actions.append(_recover(name, found, aside))
        found = found or aside
    if found is not None:
        _ownership.check("container", name, found["Config"].get("Labels"), owner, options)
    if options["state"] == "absent":
        if found is not None:
            before = {"state": _status(found)}
            data = {"id": found["Id"], "volumes": options.get("remove_volumes") or False}
            actions.append(
                Action("container", "remove", name, "", before, {"state": "absent"}, data)
            )
        return actions
    if found is None or options.get("image"):
        image = _need_image(options, image)
    if found is None:
        return [*actions, *_create(options, image or {}, owner)]
    owner = owner or _ownership.owner(found["Config"].get("Labels")) or ""
    renamed = found["Name"].lstrip("/") != name and aside is None
    if renamed:
        actions.append(
            Action(
                "container",
                "rename",
                name,
                "",
                {"name": found["Name"].lstrip("/")},
                {"name": name},
                {"id": found["Id"]},
            )
        )
    return [*actions, *_converge(options, found, image, owner)]


def applied(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are kept on the container as last applied."""
    return {key: value for key, value in _fields.given(options).items() if key not in _CONTROL}


def references(options: dict[str, Any]) -> list[str]:
    """Names of the containers whose namespaces or volumes it uses, or that it links to."""
    modes = [options.get(key) or "" for key in ("network_mode", "ipc_mode", "pid_mode")]
    names = [mode[len("container:") :] for mode in modes if mode.startswith("container:")]
    listed = [*(options.get("volumes_from") or []), *(options.get("links") or [])]
    return names + [item.partition(":")[0] for item in listed]


def body(options: dict[str, Any], owner: str) -> dict[str, Any]:
    """Return the body of ``POST /containers/create``, with the first network only."""
    request = _fields.body(ROWS, options)
    request["Image"] = options["image"]
    labels = _ownership.labels(owner, applied(options))
    request["Labels"] = {**request.get("Labels", {}), **labels}
    host = request.setdefault("HostConfig", {})
    for port in host.get("PortBindings", {}):
        request.setdefault("ExposedPorts", {}).setdefault(port, {})
    networks = endpoints.wanted(options)
    if networks:
        first = networks[0]
        host["NetworkMode"] = first["name"]
        request["NetworkingConfig"] = {
            "EndpointsConfig": {first["name"]: network.endpoint_settings(first)}
        }
    if request.get("OpenStdin"):
        request["StdinOnce"] = False
    return request


def _need_image(options: dict[str, Any], image: dict[str, Any] | None) -> dict[str, Any]:
    if not options.get("image"):
        raise Invalid("image: needed, because the container does not exist")
    if image is None:
        raise FleetError(
            f"container {options['name']}: image {options['image']} is not on the host; "
            "declare it under images of the workload, or bring it with davit.fleet.image"
        )
    return image


def _create(options: dict[str, Any], image: dict[str, Any], owner: str) -> list[Action]:
    name = options["name"]
    after = {"state": "present", "image": options["image"], **applied(options)}
    data = {
        "body": body(options, owner),
        "connect": endpoints.wanted(options)[1:],
        "platform": options.get("platform"),
    }
    actions = [Action("container", "create", name, "", {"state": "absent"}, after, data)]
    if options["state"] in ("started", "healthy"):
        actions.append(_start(name, "created"))
    return actions + _wait(options)


def _converge(
    options: dict[str, Any], found: dict[str, Any], image: dict[str, Any] | None, owner: str
) -> list[Action]:
    name, state = options["name"], options["state"]
    running = found["State"]["Status"] in _RUNNING
    labels = found["Config"].get("Labels") or {}
    # Without an image it is not declared but only acted on: what is not given stays.
    declared = bool(options.get("image"))
    sides = _fields.Sides(
        wanted=options,
        applied=_ownership.applied(labels) if declared else {},
        shown={**found["Config"], "HostConfig": found["HostConfig"]},
        image=(image or {}).get("Config") or {},
        owned=declared and _ownership.owner(labels) is not None,
    )
    rows = [row for row in ROWS if not (row.name == "network_mode" and options.get("networks"))]
    changes = _fields.changes(rows, sides)
    before = {change.row.name: change.before for change in changes if not change.live}
    after = {change.row.name: change.after for change in changes if not change.live}
    if image is not None and image["Id"] not in ("", found["Image"]):
        before["image"], after["image"] = found["Image"], image["Id"]
    theirs = _ownership.owner(labels)
    if theirs and theirs != owner:
        # Else the workload that it was taken from would prune it.
        before["owner"], after["owner"] = theirs, owner
    networks = endpoints.wanted(options)
    surplus = endpoints.surplus(found) if sides.owned and not networks else []
    shown = set(found["NetworkSettings"].get("Networks") or {})
    if not networks and (sides.applied.get("networks") or (surplus and shown == set(surplus))):
        before["networks"], after["networks"] = sorted(shown), None
    if before or after or options.get("recreate"):
        if not options.get("image"):
            raise Invalid(
                f"image: needed to make container {name} anew; these options differ: "
                + ", ".join(sorted(after))
            )
        keep = state == "present" and running
        start = keep or state in ("started", "healthy")
        for change in changes:
            if change.live:
                before[change.row.name], after[change.row.name] = change.before, change.after
        reason = "recreate is set" if options.get("recreate") else "cannot be changed in place"
        data = {
            "id": found["Id"],
            "body": body(options, owner),
            "start": start,
            "was_running": running,
            "connect": networks[1:],
            "platform": options.get("platform"),
            # Part of making it anew: the old one comes back when the new one does not get healthy.
            "healthy": options["healthy_timeout"] if state == "healthy" else None,
        }
        return [Action("container", "recreate", name, reason, before, after, data)]
    actions = _live(name, found, [change for change in changes if change.live])
    if networks:
        actions += endpoints.plan(name, found, networks)
    actions += [endpoints.leave(name, found, extra) for extra in surplus]
    return actions + _run_state(options, found, running) + _wait(options, found)


def _live(name: str, found: dict[str, Any], changes: list[_fields.Change]) -> list[Action]:
    if not changes:
        return []
    update: dict[str, Any] = {}
    for change in changes:
        # The update body is flat: HostConfig.Memory → Memory.
        update[change.row.path.split(".")[-1]] = change.value
    if "Memory" in update and "MemorySwap" not in update:
        # The engine refuses a limit above the swap limit that it once made up itself.
        update["MemorySwap"] = update["Memory"] * 2
    return [
        Action(
            "container",
            "update",
            name,
            "",
            {change.row.name: change.before for change in changes},
            {change.row.name: change.after for change in changes},
            {"id": found["Id"], "body": update},
        )
    ]


def _run_state(options: dict[str, Any], found: dict[str, Any], running: bool) -> list[Action]:
    name, state = options["name"], options["state"]
    if state in ("started", "healthy"):
        if found["State"]["Status"] == "paused":
            return [
                Action(
                    "container",
                    "unpause",
                    name,
                    "",
                    {"state": "paused"},
                    {"state": "started"},
                    {"id": found["Id"]},
                )
            ]
        if not running:
            return [_start(name, _status(found))]
        if options.get("restart"):
            return [
                Action(
                    "container",
                    "restart",
                    name,
                    "restart is set",
                    {"restarted": False},
                    {"restarted": True},
                    {"id": found["Id"]},
                )
            ]
    if state == "stopped" and running:
        return [
            Action(
                "container",
                "stop",
                name,
                "",
                {"state": _status(found)},
                {"state": "stopped"},
                {"id": found["Id"]},
            )
        ]
    return []


def _start(name: str, status: str) -> Action:
    return Action("container", "start", name, "", {"state": status}, {"state": "started"})


def _wait(options: dict[str, Any], found: dict[str, Any] | None = None) -> list[Action]:
    if options["state"] != "healthy":
        return []
    status = ((found or {}).get("State", {}).get("Health") or {}).get("Status", "healthy")
    if found is not None and found["State"]["Status"] == "running" and status == "healthy":
        return []
    data = {"timeout": options["healthy_timeout"]}
    return [Action("container", "await_healthy", options["name"], "", data=data)]


def _recover(name: str, found: dict[str, Any] | None, aside: dict[str, Any]) -> Action:
    """What an interrupted recreation left: the old container, beside the new one or without it."""
    if found is None:
        return Action(
            "container",
            "rename",
            name,
            "an earlier recreation was interrupted",
            {"name": name + ASIDE},
            {"name": name},
            {"id": aside["Id"]},
        )
    return Action(
        "container",
        "remove",
        name + ASIDE,
        "an earlier recreation was interrupted",
        {"state": _status(aside)},
        {"state": "absent"},
        {"id": aside["Id"], "volumes": False},
    )


def _status(found: dict[str, Any]) -> str:
    return str(found["State"]["Status"])
