"""Membership: what is asked of the engine, and what its answers mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError, FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action
from ansible_collections.davit.fleet.plugins.module_utils._swarm import cluster_apply

from .fakes import FakeEngine

LOST = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "id-m1"}


class Refusing(FakeEngine):
    """Refuses the first of the changes that it is told."""

    def __init__(self, answers: dict[str, Any], message: str) -> None:
        super().__init__(answers)
        self.message = message

    def _call(self, method: str, *rest: Any) -> Any:
        answer = super()._call(method, *rest)
        if method == "POST" and len(self.calls) == 1:
            raise EngineError("POST /swarm", 500, self.message)
        return answer


class Headless(FakeEngine):
    """A manager whose swarm has no leader."""

    def _call(self, method: str, path: tuple[str, ...], *rest: Any) -> Any:
        if path in (("swarm",), ("nodes",)):
            raise EngineError("GET /swarm", 503, "The swarm does not have a leader.")
        return super()._call(method, path, *rest)


def _action(verb: str, **data: Any) -> Action:
    return Action("swarm", verb, "this host", "", {}, {}, data)


def test_a_change_is_made_again_when_somebody_was_faster() -> None:
    found = {"Version": {"Index": 7}, "Spec": {"CAConfig": {"ForceRotate": 1}}}
    engine = Refusing({"swarm": found}, "rpc error: update out of sequence")
    values = {"Raft.SnapshotInterval": 5000}
    update = _action("update", values=values, query={}, rotate_ca=False)
    cluster_apply.apply(engine, update, 1)
    assert [call[0] for call in engine.calls] == ["POST swarm/update"] * 2
    assert engine.calls[1][1:] == (
        {"version": 7},
        {"CAConfig": {"ForceRotate": 1}, "Raft": {"SnapshotInterval": 5000}},
    )


def test_a_swarm_that_did_not_begin_anew() -> None:
    recover = _action("recover", body={"ForceNewCluster": True})
    engine = Refusing({"info": {"Swarm": {"LocalNodeState": "inactive"}}}, "Swarm is encrypted")
    with pytest.raises(FleetError, match=r"encrypted.*does not know of it until it is started"):
        cluster_apply.apply(engine, recover, 1)
    with pytest.raises(EngineError, match="no such address"):
        cluster_apply.apply(Refusing({"info": {"Swarm": LOST}}, "no such address"), recover, 1)


@pytest.mark.parametrize(("kind", "encrypted"), [("ENCRYPTED ", True), ("", False)])
def test_whether_a_lost_managers_key_is_locked_away(
    tmp_path: Path, kind: str, encrypted: bool
) -> None:
    key = tmp_path / "swarm/certificates/swarm-node.key"
    options = {
        "state": "present",
        "force": False,
        "remote_addrs": None,
        "force_new_cluster": True,
        "wait_timeout": 0,
    }
    engine = Headless({"info": {"Swarm": LOST, "DockerRootDir": str(tmp_path)}})
    assert not cluster_apply.ask(engine, options, 0).encrypted
    key.parent.mkdir(parents=True)
    key.write_text(f"-----BEGIN {kind}PRIVATE KEY-----\n")
    facts = cluster_apply.ask(engine, options, 0)
    assert (facts.leaderless, facts.encrypted) == (True, encrypted)


def test_nobody_waits_for_a_join_that_is_given_up() -> None:
    options = {"state": "absent", "force": True, "remote_addrs": None, "force_new_cluster": False}
    engine = FakeEngine({"info": {"Swarm": {**LOST, "LocalNodeState": "pending"}}})
    assert cluster_apply.ask(engine, options, 3600).state == "pending"
