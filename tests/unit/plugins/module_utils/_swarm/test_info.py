"""What is told of a swarm, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._swarm import info

from .fakes import FakeEngine

TOKENS = {"Worker": "SWMTKN-1-w", "Manager": "SWMTKN-1-m"}
MANAGER = {
    "info": {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "n1"}},
    "version": {},
    "swarm": {"ID": "c1", "JoinTokens": TOKENS},
    "swarm/unlockkey": {"UnlockKey": "SWMKEY-1-k"},
    "nodes": [{"ID": "n1"}],
}


@pytest.mark.parametrize(
    ("swarm", "state", "role"),
    [
        ({}, "inactive", "none"),
        ({"LocalNodeState": "inactive", "NodeID": ""}, "inactive", "none"),
        (
            {"LocalNodeState": "active", "NodeID": "n2", "ControlAvailable": False},
            "active",
            "worker",
        ),
        (MANAGER["info"]["Swarm"], "active", "manager"),
        ({"LocalNodeState": "locked", "NodeID": ""}, "locked", "manager"),
        ({"LocalNodeState": "error", "NodeID": "n2", "Error": "removed"}, "error", "worker"),
    ],
)
def test_node(swarm: dict[str, Any], state: str, role: str) -> None:
    told = info.node(swarm)
    assert (told["state"], told["role"]) == (state, role)


def test_keys_are_told_only_when_asked_for() -> None:
    plain = info.ask(FakeEngine(MANAGER), ["nodes"], tokens=False, unlock_key=False)
    assert plain["cluster"] == {"ID": "c1"}
    assert plain["nodes"] == [{"ID": "n1"}]
    assert "SWM" not in str(plain)
    full = info.ask(FakeEngine(MANAGER), [], tokens=True, unlock_key=True)
    assert full["join_tokens"] == {"worker": "SWMTKN-1-w", "manager": "SWMTKN-1-m"}
    assert full["unlock_key"] == "SWMKEY-1-k"


def test_a_worker_knows_no_objects() -> None:
    version = {"Platform": {"Name": "davit"}}
    swarm = {"LocalNodeState": "active", "NodeID": "n2"}
    worker = {"info": {"Swarm": swarm}, "version": version}
    told = info.ask(FakeEngine(worker), ["nodes"], tokens=True, unlock_key=True)
    assert told["cluster"] is None
    assert told["nodes"] == []
    assert "join_tokens" not in told
    assert told["node"]["engine"] == "davit"
