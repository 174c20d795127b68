# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""A host's membership in a swarm: ask for the facts, carry the plan out."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm import nodes_apply, run
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import Facts, host

# An engine waits 20 s for a join before it says that it goes on in the background.
_JOIN = 30
_LEAVE = 60
# Moby elects after some 10 s without a leader's heartbeat, and may need more than one turn.
_ELECTION = 30
_KEY = "swarm/certificates/swarm-node.key"


def ask(engine: Engine, options: dict[str, Any], patience: int) -> Facts:
    """patience: seconds to wait for a join that goes on."""
    remote_addrs = options["remote_addrs"] or []
    encrypted = False
    if options["force_new_cluster"]:
        # Managers that elect another leader have none for a while; to take that for the end of
        # their swarm would be the end of it.
        patience = min(_ELECTION, options["wait_timeout"])
        run.wait(patience, lambda: not _is_leaderless(engine))
        encrypted = _is_encrypted(engine)
    elif not (options["state"] == "absent" and options["force"]):
        run.wait(patience, lambda: run.membership(engine).get("LocalNodeState") != "pending")
    node = run.membership(engine)
    addresses = frozenset(address for given in remote_addrs for address in _resolved(host(given)))
    if not run.is_manager(node):
        return Facts(node, addresses=addresses, encrypted=encrypted)
    try:
        return Facts(node, engine.get("swarm"), engine.get("nodes"), addresses)
    except EngineError:
        # Without a leader it knows no more than what its info tells.
        return Facts(node, node.get("Cluster"), None, addresses, encrypted)


def apply(engine: Engine, action: Action, patience: int) -> None:
    """patience: seconds to wait for each effect. Raises FleetError when it does not come."""
    data = action.data
    if action.verb == "recover":
        _recover(engine, data["body"], patience)
    elif action.verb == "init":
        engine.post("swarm", "init", body=data["body"], patience=_JOIN)
    elif action.verb == "join":
        _join(engine, data["body"], patience)
    elif action.verb == "leave":
        _leave(engine, force=data["force"], patience=patience)
    elif action.verb == "unlock":
        engine.post("swarm", "unlock", body={"UnlockKey": data["key"]}, patience=_JOIN)
        _reach(engine, "active", patience)
    elif action.verb == "update":
        run.in_sequence(lambda: _update(engine, data))
    else:
        nodes_apply.apply(engine, action, patience)


def _is_leaderless(engine: Engine) -> bool:
    if not run.membership(engine).get("ControlAvailable"):
        return False
    try:
        engine.get("swarm")
    except EngineError:
        return True
    return False


def _is_encrypted(engine: Engine) -> bool:
    """Whether a manager's key is locked away. Without a leader, only its file can tell."""
    root = (engine.get("info") or {}).get("DockerRootDir") or ""
    try:
        with open(os.path.join(root, _KEY), encoding="ascii", errors="replace") as file:
            return "ENCRYPTED" in file.read()
    except OSError:
        return False


def _recover(engine: Engine, body: dict[str, Any], patience: int) -> None:
    try:
        engine.post("swarm", "init", body=body, patience=_JOIN)
    except EngineError as error:
        if run.membership(engine).get("LocalNodeState") != "inactive":
            raise
        raise FleetError(
            f"the swarm did not begin anew ({error.message}), and the engine does not know of it "
            "until it is started again; its state is still on the disk"
        ) from None
    if not run.wait(patience, lambda: not _is_leaderless(engine)):
        raise FleetError(f"the swarm that began anew has no leader after {patience} s")


def _resolved(name: str) -> set[str]:
    try:
        return {str(item[4][0]) for item in socket.getaddrinfo(name, None)}
    except OSError:
        return {name}


def _join(engine: Engine, body: dict[str, Any], patience: int) -> None:
    """A join that fails is undone, so that the next one can begin."""
    try:
        engine.post("swarm", "join", body=body, patience=_JOIN)
    except EngineError:
        if run.membership(engine).get("LocalNodeState") not in ("pending", "active"):
            raise
    try:
        _reach(engine, "active", patience)
    except FleetError:
        with contextlib.suppress(EngineError):
            engine.post("swarm", "leave", force=True, patience=_LEAVE)
        raise


def _leave(engine: Engine, *, force: bool, patience: int) -> None:
    engine.post("swarm", "leave", force=force, patience=_LEAVE)
    _reach(engine, "inactive", patience)


def _reach(engine: Engine, state: str, patience: int) -> None:
    if run.wait(patience, lambda: run.membership(engine).get("LocalNodeState") == state):
        return
    found = run.membership(engine)
    raise FleetError(
        f"this host's membership in the swarm is {found.get('LocalNodeState')}, not {state}, "
        f"after {patience} s: {found.get('Error') or 'the engine does not say why; see its log'}"
    )


def _update(engine: Engine, data: dict[str, Any]) -> None:
    found = engine.get("swarm")
    spec = found["Spec"]
    for path, value in data["values"].items():
        *steps, last = path.split(".")
        section = spec
        for step in steps:
            section = section.setdefault(step, {})
        section[last] = value
    if data["rotate_ca"]:
        turns = _fields.dig(spec, "CAConfig.ForceRotate") or 0
        spec.setdefault("CAConfig", {})["ForceRotate"] = turns + 1
    version = found["Version"]["Index"]
    engine.post("swarm", "update", body=spec, version=version, **data["query"])
