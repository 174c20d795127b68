# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine tells of its swarm, sorted by how many may read it."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError
from ansible_collections.davit.fleet.plugins.module_utils._swarm.run import is_manager, membership

OBJECTS = ("configs", "nodes", "secrets", "services", "tasks")


def node(found: dict[str, Any]) -> dict[str, Any]:
    """This host's membership. found: ``Swarm`` of the engine's info."""
    state = found.get("LocalNodeState") or "inactive"
    identity = found.get("NodeID") or ""
    # Only managers lock, and a locked one does not tell its ID.
    if state == "locked" or (identity and found.get("ControlAvailable")):
        role = "manager"
    else:
        role = "worker" if identity else "none"
    return {
        "state": state,
        "role": role,
        "id": identity,
        "address": found.get("NodeAddr") or "",
        "error": found.get("Error") or "",
        "managers": [
            {"id": item.get("NodeID", ""), "address": item.get("Addr", "")}
            for item in found.get("RemoteManagers") or []
        ],
    }


def _flavor(engine: Engine) -> str:
    version = engine.get("version") or {}
    return "davit" if (version.get("Platform") or {}).get("Name") == "davit" else "moby"


def ask(engine: Engine, objects: list[str], tokens: bool, unlock_key: bool) -> dict[str, Any]:
    """The facts. Lists are empty, the cluster is None and keys are left out but on a manager."""
    found = membership(engine)
    facts: dict[str, Any] = {"node": {**node(found), "engine": _flavor(engine)}, "cluster": None}
    manager = is_manager(found)
    try:
        cluster = engine.get("swarm") if manager else {}
    except EngineError as error:
        # A manager whose swarm has no leader.
        facts["node"]["error"] = facts["node"]["error"] or error.message
        manager = False
    if manager:
        keys = cluster.get("JoinTokens") or {}
        facts["cluster"] = {key: cluster[key] for key in cluster if key != "JoinTokens"}
        if tokens:
            facts["join_tokens"] = {"worker": keys.get("Worker"), "manager": keys.get("Manager")}
        if unlock_key:
            facts["unlock_key"] = engine.get("swarm", "unlockkey").get("UnlockKey") or ""
    for kind in objects:
        facts[kind] = (engine.get(kind) or []) if manager else []
    return facts
