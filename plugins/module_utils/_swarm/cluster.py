# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""A host's membership in a swarm, and the swarm's settings: the plan."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm.nodes import check_quorum
from ansible_collections.davit.fleet.plugins.module_utils._swarm.options import (
    FIXED,
    LOCAL,
    ROTATIONS,
    SETTINGS,
)

_TOKEN = re.compile(r"SWMTKN-(?:1|2-[01])-([0-9a-z]{50})-[0-9a-z]{25}")


@dataclass(frozen=True)
class Facts:
    """What the engine tells.

    node: ``Swarm`` of its info. cluster: its answer to ``/swarm``, None but on a manager. nodes:
    None when that is no manager, or one without a leader. addresses: the declared remote_addrs as
    addresses without ports. encrypted: whether the key of this node is, as autolock has it.
    """

    node: dict[str, Any]
    cluster: dict[str, Any] | None = None
    nodes: list[dict[str, Any]] | None = None
    addresses: frozenset[str] = field(default_factory=frozenset)
    encrypted: bool = False

    @property
    def state(self) -> str:
        return str(self.node.get("LocalNodeState") or "inactive")

    @property
    def manages(self) -> bool:
        return bool(self.node.get("ControlAvailable"))

    @property
    def leaderless(self) -> bool:
        """A manager of a swarm that cannot decide."""
        return self.manages and self.nodes is None


def plan(options: dict[str, Any], facts: Facts) -> list[Action]:
    """Raises FleetError for what would lose the swarm, or is another one."""
    if options["state"] == "absent":
        return _leaving(options, facts)
    joins = options["join_token"] is not None
    if joins:
        _check_join(options)
    if facts.state == "locked":
        if not options["unlock_key"]:
            raise FleetError("this manager is locked: give its unlock_key")
        before, after = {"state": "locked"}, {"state": "active"}
        data = {"key": options["unlock_key"], "replan": True}
        return [_action("unlock", before, after, data)]
    if options["force_new_cluster"]:
        _check_recovery(options, facts)
        if facts.leaderless:
            return [_recovery(options, facts)]
    if facts.state == "inactive":
        return [_join(options) if joins else _init(options)]
    problem = _broken(facts) or _stranger(options, facts)
    if problem:
        return _rejoining(options, facts, problem)
    if joins:
        return []
    if facts.leaderless:
        raise FleetError(
            "this manager's swarm has no leader, so nothing can be changed: start the other "
            "managers, or set force_new_cluster if they are gone for good"
        )
    if not facts.manages or facts.cluster is None:
        raise FleetError(
            "this host is a worker of a swarm, and cannot begin one: give remote_addrs and "
            "join_token if it is to be one, or let it leave first (state=absent)"
        )
    _check_fixed(options, facts.node, facts.cluster)
    return _settings(options, facts.cluster)


def host(address: str) -> str:
    """An address without its port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _action(verb: str, before: Any, after: Any, data: dict[str, Any], reason: str = "") -> Action:
    return Action("swarm", verb, "this host", reason, before, after, data)


def _check_join(options: dict[str, Any]) -> None:
    # Not the token itself: messages end up in logs.
    if not _TOKEN.fullmatch(options["join_token"]):
        raise Invalid("join_token: this is no join token; ask a manager for one (swarm_info)")
    rotations = [name for name in (*ROTATIONS, "rotate_ca") if options[name]]
    rows = [*FIXED, *SETTINGS]
    given = [row.name for row in rows if options[row.name] is not None] + rotations
    if given:
        raise Invalid(
            f"{', '.join(given)}: of the swarm, not of a node that joins it: "
            "declare it on a manager, without join_token"
        )


def _init(options: dict[str, Any]) -> Action:
    body = _fields.body([*LOCAL, *FIXED], options)
    spec = _fields.body(SETTINGS, options)
    if spec:
        body["Spec"] = spec
    rows = [*LOCAL, *FIXED, *SETTINGS]
    after = {row.name: options[row.name] for row in rows if options[row.name] is not None}
    before = {"state": "absent"}
    return _action("init", before, {"state": "present", **after}, {"body": body})


def _join(options: dict[str, Any]) -> Action:
    body = {
        **_fields.body(LOCAL, options),
        "RemoteAddrs": options["remote_addrs"],
        "JoinToken": options["join_token"],
    }
    after = {row.name: options[row.name] for row in LOCAL if options[row.name] is not None}
    after["remote_addrs"] = options["remote_addrs"]
    before = {"state": "absent"}
    return _action("join", before, {"state": "present", **after}, {"body": body})


def _check_recovery(options: dict[str, Any], facts: Facts) -> None:
    if options["join_token"] is not None:
        raise Invalid("force_new_cluster: of a manager that lives, not of a node that joins")
    if facts.state == "inactive":
        raise FleetError(
            "force_new_cluster: this host is in no swarm; without it, a new one begins here"
        )
    if facts.leaderless and facts.encrypted:
        raise FleetError(
            "force_new_cluster: this swarm is autolocked, and Moby cannot begin such a one anew "
            "(it would forget this manager until its next start); start the other managers, and "
            "unlock them"
        )


def _recovery(options: dict[str, Any], facts: Facts) -> Action:
    """Begin the swarm anew from here, at the address that its other nodes know."""
    body = {**_fields.body(LOCAL, options), "ForceNewCluster": True}
    identity = facts.node.get("NodeID")
    known = {item.get("NodeID"): item["Addr"] for item in facts.node.get("RemoteManagers") or []}
    body.setdefault("AdvertiseAddr", known.get(identity) or facts.node.get("NodeAddr") or "")
    # The engine takes the rest of a running swarm's settings over, but not this one.
    if options["autolock"] is not None:
        body["Spec"] = _fields.body([row for row in SETTINGS if row.name == "autolock"], options)
    before, after = {"managers": sorted(known.values())}, {"managers": [body["AdvertiseAddr"]]}
    return _action("recover", before, after, {"body": body, "replan": True})


def _broken(facts: Facts) -> str:
    if facts.state not in ("error", "pending"):
        return ""
    return f"has no working membership ({facts.node.get('Error') or facts.state})"


def _stranger(options: dict[str, Any], facts: Facts) -> str:
    """Why this is a node of another swarm; empty when nothing says so."""
    identity, cluster = facts.node.get("NodeID"), facts.cluster or {}
    known = options["node_ids"]
    if options["cluster_id"] and cluster and cluster["ID"] != options["cluster_id"]:
        return f"is a manager of another swarm ({cluster['ID']}, not {options['cluster_id']})"
    if known is not None and identity not in known:
        return f"is a node of another swarm (its ID {identity} is not among node_ids)"
    if options["join_token"] is None:
        return ""
    root = (cluster.get("TLSInfo") or {}).get("TrustRoot")
    if cluster.get("RootRotationInProgress"):
        root = None
    if root and token_digest(options["join_token"]) != _digest(root):
        return f"is a manager of another swarm ({cluster['ID']}, whose tokens are others)"
    managers = {host(item["Addr"]) for item in facts.node.get("RemoteManagers") or []}
    if known is None and managers and not managers & facts.addresses:
        return f"is a node of another swarm (its managers are {', '.join(sorted(managers))})"
    return ""


def token_digest(token: str) -> int:
    """The SHA-256 of the swarm's root certificate, which a join token has in base 36."""
    match = _TOKEN.fullmatch(token)
    return int(match.group(1), 36) if match else 0


def _digest(root: str) -> int:
    return int(hashlib.sha256(root.encode()).hexdigest(), 16)


def _rejoining(options: dict[str, Any], facts: Facts, problem: str) -> list[Action]:
    if options["join_token"] is None or not options["rejoin"]:
        way = (
            "set rejoin to have it leave that and join this one, or "
            if options["join_token"]
            else ""
        )
        raise FleetError(f"this host {problem}: {way}let it leave first (state=absent)")
    if facts.manages and not options["force"]:
        raise FleetError(
            f"this host {problem}, and is a manager there: let it leave first (state=absent), or "
            "set force if that swarm may be lost"
        )
    return [_leave(facts, problem, force=facts.manages), _join(options)]


def _leave(facts: Facts, reason: str = "", *, force: bool) -> Action:
    before = {"state": "present", "id": facts.node.get("NodeID") or ""}
    return _action("leave", before, {"state": "absent"}, {"force": force}, reason)


def _leaving(options: dict[str, Any], facts: Facts) -> list[Action]:
    """A manager gives up its tasks and its vote before it goes."""
    force = bool(options["force"])
    if facts.state == "inactive":
        return []
    if facts.state == "locked":
        if not force:
            raise FleetError(
                "this manager is locked, so it cannot give up its vote: unlock it first "
                "(unlock_key), or set force to have it leave as if it had died"
            )
        return [_leave(facts, force=True)]
    if not facts.manages:
        return [_leave(facts, force=force)]
    identity = facts.node.get("NodeID") or ""
    if facts.nodes is None:
        if not force:
            raise FleetError(
                "this host cannot leave: its swarm has no leader, so it cannot give up its vote; "
                "bring managers back first, or set force to have it leave as if it had died"
            )
        return [_leave(facts, force=True)]
    others = [node for node in facts.nodes if node.get("ManagerStatus") and node["ID"] != identity]
    if not others and not force:
        raise FleetError(
            "this host cannot leave: it is the last manager, and with it the swarm is lost with "
            "all of its services, secrets and configs; promote another node, or set force"
        )
    try:
        check_quorum(facts.nodes, identity, "this host cannot leave")
    except FleetError:
        if not force:
            raise
        return [_leave(facts, force=True)]
    return [*_giving_up(facts.nodes, identity), _leave(facts, force=force)]


def _giving_up(nodes: list[dict[str, Any]], identity: str) -> list[Action]:
    (own,) = (node for node in nodes if node["ID"] == identity)
    data = {"id": identity, "up": True}
    shown = own["Spec"]["Availability"]
    steps = [] if shown == "drain" else [("drain", "availability", shown, "drain")]
    steps.append(("demote", "role", "manager", "worker"))
    return [
        _action(verb, {key: before}, {key: after}, {**data, "spec": {key: after}})
        for verb, key, before, after in steps
    ]


def _check_fixed(options: dict[str, Any], node: dict[str, Any], cluster: dict[str, Any]) -> None:
    for row in FIXED:
        shown = cluster.get(row.path)
        if options[row.name] is not None and options[row.name] != shown:
            raise FleetError(
                f"{row.name}: the swarm has {shown}, from its beginning; it cannot be changed "
                "without a new swarm"
            )
    address, shown = host(options["advertise_addr"] or ""), node.get("NodeAddr")
    if shown and is_other_address(address, shown):
        raise FleetError(
            f"advertise_addr: this node is known by {shown}; another address needs that it "
            "leaves and joins again"
        )


def is_other_address(declared: str, shown: str) -> bool:
    """Whether an address without a port is another one. It may be an interface's name, too."""
    try:
        return ipaddress.ip_address(declared) != ipaddress.ip_address(shown)
    except ValueError:
        return False


def _settings(options: dict[str, Any], cluster: dict[str, Any]) -> list[Action]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    values = {}
    for row in SETTINGS:
        value, shown = row.wire(options), _fields.dig(cluster["Spec"], row.path)
        if value is not None and value != (shown or type(value)()):
            before[row.name], after[row.name], values[row.path] = shown, value, value
    rotations = [name for name in ROTATIONS if options[name]]
    for name in rotations + ["rotate_ca"] * bool(options["rotate_ca"]):
        before[name[len("rotate_") :]], after[name[len("rotate_") :]] = "as it was", "a new one"
    if not after:
        return []
    data = {
        "values": values,
        "query": {ROTATIONS[name]: True for name in rotations},
        "rotate_ca": bool(options["rotate_ca"]),
    }
    return [_action("update", before, after, data)]
