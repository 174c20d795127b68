# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Networks: plan and apply. A change makes the network anew, with all endpoints as they were."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields, _ownership
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

_POOL = {
    "subnet": {"type": "str"},
    "gateway": {"type": "str"},
    "iprange": {"type": "str"},
    "aux_addresses": {"type": "dict"},
}
_POOL_KEYS = {
    "subnet": "Subnet",
    "gateway": "Gateway",
    "iprange": "IPRange",
    "aux_addresses": "AuxiliaryAddresses",
}


def _pools(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{_POOL_KEYS[key]: item[key] for key in _POOL_KEYS if item.get(key)} for item in value]


def _flag(name: str, path: str) -> _fields.Field:
    return _fields.Field(name, {"type": "bool"}, path, canon=bool, default=False)


def _texts(value: dict[str, Any]) -> dict[str, str]:
    return {key: str(item) for key, item in value.items()}


ROWS = [
    _fields.Field("driver", {"type": "str"}, "Driver", default="bridge"),
    _flag("internal", "Internal"),
    _flag("attachable", "Attachable"),
    _flag("enable_ipv6", "EnableIPv6"),
    _fields.Field("driver_options", {"type": "dict"}, "Options", encode=_texts, entries=True),
    _fields.Field("labels", {"type": "dict"}, "Labels", encode=_texts, entries=True),
]
_IPAM = _fields.Field(
    "ipam_config",
    {"type": "list", "elements": "dict", "options": _POOL},
    "IPAM.Config",
    encode=_pools,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "adopt": {"type": "bool", "default": False},
    **{row.name: row.spec for row in [*ROWS, _IPAM]},
}


def plan(options: dict[str, Any], found: dict[str, Any] | None, owner: str) -> list[Action]:
    """found: inspect, or None."""
    name = options["name"]
    if options["state"] == "absent":
        if found is None:
            return []
        _ownership.check("network", name, found.get("Labels"), owner, options)
        data = {"id": found["Id"]}
        return [
            Action("network", "remove", name, "", {"state": "present"}, {"state": "absent"}, data)
        ]
    rows = [*ROWS, _IPAM]
    spec = {row.name: options[row.name] for row in rows if options.get(row.name) is not None}
    body: dict[str, Any] = {"Name": name, "CheckDuplicate": True, **_fields.body(rows, options)}
    body["Labels"] = {**body.get("Labels", {}), **_ownership.labels(owner, spec)}
    if found is None:
        after = {"state": "present", **spec}
        return [Action("network", "create", name, "", {"state": "absent"}, after, {"body": body})]
    labels = found.get("Labels")
    sides = _fields.Sides(
        options, _ownership.applied(labels), found, owned=_ownership.owner(labels) is not None
    )
    changes = _fields.changes(ROWS, sides)
    before = {change.row.name: change.before for change in changes}
    after = {change.row.name: change.after for change in changes}
    if not _pools_fit(options, sides.applied, found):
        before["ipam_config"] = found["IPAM"].get("Config")
        after["ipam_config"] = options.get("ipam_config")
    if not after:
        return []
    _ownership.check("network", name, labels, owner, options)
    data = {"id": found["Id"], "body": body, "old": _old_body(found)}
    return [Action("network", "recreate", name, "cannot be changed in place", before, after, data)]


def apply(engine: Engine, action: Action) -> None:
    """A network that cannot be made anew is put back. Raises EngineError."""
    if action.verb == "create":
        engine.post("networks", "create", body=action.data["body"])
        return
    name, identity = action.name, action.data["id"]
    if action.verb == "remove":
        engine.delete("networks", identity)
        return
    # Those that do not run are on it by its ID, too, and would not start without it.
    attached = engine.get("containers", "json", all=True, filters={"network": [identity]})
    endpoints = [(item["Id"], _endpoint(engine, item["Id"], name)) for item in attached]
    for container, _settings in endpoints:
        body = {"Container": container, "Force": True}
        engine.post("networks", identity, "disconnect", body=body)
    try:
        engine.delete("networks", identity)
    except FleetError:
        _connect(engine, identity, endpoints)
        raise
    try:
        engine.post("networks", "create", body=action.data["body"])
    except FleetError:
        engine.post("networks", "create", body=action.data["old"])
        raise
    finally:
        _connect(engine, name, endpoints)


def _connect(engine: Engine, network: str, endpoints: list[tuple[str, dict[str, Any]]]) -> None:
    for container, settings in endpoints:
        body = {"Container": container, "EndpointConfig": settings}
        engine.post("networks", network, "connect", body=body)


def _old_body(found: dict[str, Any]) -> dict[str, Any]:
    """What makes a network again as inspect shows it."""
    keys = ("Name", "Driver", "Internal", "Attachable", "EnableIPv6", "IPAM", "Options", "Labels")
    return {key: found[key] for key in keys if found.get(key)}


def _endpoint(engine: Engine, container: str, network: str) -> dict[str, Any]:
    """What was asked for of an endpoint: its static addresses and aliases go along."""
    found = engine.get("containers", container, "json")
    shown = (found["NetworkSettings"]["Networks"] or {}).get(network) or {}
    return {key: shown[key] for key in ("IPAMConfig", "Aliases", "DriverOpts") if shown.get(key)}


def _pools_fit(options: dict[str, Any], applied: dict[str, Any], found: dict[str, Any]) -> bool:
    """Pools that are given must show, in any order; the engine fills in what was left open."""
    wanted = _IPAM.wire(options)
    if wanted is None:
        return not applied.get("ipam_config")
    wanted = [_canon(pool) for pool in wanted]
    shown = [_canon(pool) for pool in (found.get("IPAM") or {}).get("Config") or []]
    return len(wanted) <= len(shown) and all(
        any(all(pool.get(key) == value for key, value in item.items()) for pool in shown)
        for item in wanted
    )


def _canon(value: Any) -> Any:
    """Addresses and subnets of a pool in one spelling: engines differ, most of all in IPv6's."""
    if isinstance(value, dict):
        return {key: _canon(item) for key, item in value.items()}
    for read in (ipaddress.ip_address, _subnet):
        try:
            return str(read(value))
        except ValueError:
            pass
    return value


def _subnet(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
