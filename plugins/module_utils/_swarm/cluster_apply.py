# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""A host's membership in a swarm: ask for the facts, carry the plan out."""

from __future__ import annotations

import contextlib
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


def ask(engine: Engine, remote_addrs: list[str], patience: int) -> Facts:
    """patience: seconds to wait for a join that goes on."""
    run.wait(patience, lambda: run.membership(engine).get("LocalNodeState") != "pending")
    node = run.membership(engine)
    addresses = frozenset(address for given in remote_addrs for address in _resolved(host(given)))
    if not run.is_manager(node):
        return Facts(node, addresses=addresses)
    try:
        return Facts(node, engine.get("swarm"), engine.get("nodes"), addresses)
    except EngineError:
        # Without a leader it knows no more than what its info tells.
        return Facts(node, node.get("Cluster"), None, addresses)


def apply(engine: Engine, action: Action, patience: int) -> None:
    """patience: seconds to wait for each effect. Raises FleetError when it does not come."""
    data = action.data
    if action.verb == "init":
        engine.post("swarm", "init", body=data["body"], patience=_JOIN)
    elif action.verb == "join":
        _join(engine, data["body"], patience)
    elif action.verb == "leave":
        _leave(engine, force=data["force"], patience=patience)
    elif action.verb == "unlock":
        engine.post("swarm", "unlock", body={"UnlockKey": data["key"]}, patience=_JOIN)
        _reach(engine, "active", patience)
    elif action.verb == "update":
        _update(engine, data)
    else:
        nodes_apply.apply(engine, action, patience)


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
