"""Membership: who begins, joins and leaves, what is another swarm, and what cannot be changed."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._swarm.cluster import (
    Facts,
    host,
    plan,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.options import ARGUMENTS

from .test_nodes import managers

ROOT = "-----BEGIN CERTIFICATE-----\n"
CLUSTER = {
    "ID": "c1",
    "Version": {"Index": 9},
    "Spec": {
        "Labels": {},
        "Orchestration": {"TaskHistoryRetentionLimit": 5},
        "Raft": {"SnapshotInterval": 10000, "KeepOldSnapshots": 0},
        "CAConfig": {"NodeCertExpiry": 7776000000000000},
        "EncryptionConfig": {"AutoLockManagers": False},
    },
    "TLSInfo": {"TrustRoot": ROOT},
    "DefaultAddrPool": ["10.0.0.0/8"],
    "SubnetSize": 24,
    "DataPathPort": 4789,
}


def token(root: str = ROOT) -> str:
    """A join token as the swarm with this root certificate gives it."""
    number, digits = int(hashlib.sha256(root.encode()).hexdigest(), 16), ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return f"SWMTKN-1-{digits.rjust(50, '0')}-{'s' * 25}"


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {key: spec.get("default") for key, spec in ARGUMENTS.items()}
    return {**defaults, **options}


def joining(**options: Any) -> dict[str, Any]:
    return wanted(join_token=token(), remote_addrs=["10.0.0.2"], **options)


def swarm(state: str = "active", *, manages: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "LocalNodeState": state,
        "ControlAvailable": manages,
        "NodeID": "id-m1",
        "NodeAddr": "10.0.0.2",
        "RemoteManagers": [{"NodeID": "id-m1", "Addr": "10.0.0.2:2377"}],
        **more,
    }


HERE = frozenset(["10.0.0.2"])
ELSEWHERE = frozenset(["10.9.9.9"])
OUTSIDE = Facts({"LocalNodeState": "inactive"})
WORKER = Facts(swarm(), addresses=HERE)
MANAGER = Facts(swarm(manages=True), CLUSTER, managers("ready"), HERE)


def verbs(options: dict[str, Any], facts: Facts) -> list[str]:
    return [action.verb for action in plan(options, facts)]


def test_init_and_join() -> None:
    (init,) = plan(wanted(advertise_addr="eth0", autolock=True, subnet_size=26), OUTSIDE)
    assert init.verb == "init"
    assert init.data["body"] == {
        "AdvertiseAddr": "eth0",
        "ListenAddr": "0.0.0.0:2377",
        "SubnetSize": 26,
        "Spec": {"EncryptionConfig": {"AutoLockManagers": True}},
    }
    (join,) = plan(joining(), OUTSIDE)
    assert join.verb == "join"
    assert join.data["body"]["JoinToken"] == token()
    assert "SWMTKN" not in f"{join.summary()} {join.before} {join.after}"
    assert verbs(wanted(state="absent"), OUTSIDE) == []


def test_who_is_there_already() -> None:
    assert verbs(joining(), WORKER) == []
    assert verbs(joining(), MANAGER) == []
    assert verbs(wanted(), MANAGER) == []
    with pytest.raises(FleetError, match="cannot begin one"):
        verbs(wanted(), WORKER)


@pytest.mark.parametrize(
    ("options", "facts", "match"),
    [
        (wanted(cluster_id="c2"), MANAGER, "c1, not c2"),
        (wanted(node_ids=["id-w1"]), MANAGER, "not among node_ids"),
        (joining(node_ids=["id-w1"]), WORKER, "not among node_ids"),
        (joining(), Facts(swarm(), addresses=ELSEWHERE), "its managers are 10.0.0.2"),
        (wanted(join_token=token("x"), remote_addrs=["10.0.0.2"]), MANAGER, "whose tokens"),
        (joining(), Facts(swarm("error", Error="removed")), "no working membership .removed."),
    ],
)
def test_another_swarm(options: dict[str, Any], facts: Facts, match: str) -> None:
    with pytest.raises(FleetError, match=match):
        plan(options, facts)


def test_node_ids_decide_in_place_of_addresses() -> None:
    moved = Facts(swarm(), addresses=ELSEWHERE)
    assert verbs(joining(node_ids=["id-m1"]), moved) == []


def test_rejoin() -> None:
    options = joining(node_ids=[], rejoin=True)
    assert verbs(options, WORKER) == ["leave", "join"]
    with pytest.raises(FleetError, match="is a manager there"):
        plan(options, MANAGER)
    assert verbs({**options, "force": True}, MANAGER) == ["leave", "join"]


_CFSSL = {"Protocol": "cfssl", "URL": "https://ca", "CACert": ""}


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"task_history_limit": 2}, {"task_history_limit": 2}),
        ({"task_history_limit": 5, "keep_old_snapshots": 0, "labels": {}}, None),
        ({"autolock": False}, None),
        ({"node_cert_expiry": "2160h"}, None),
        ({"node_cert_expiry": "1h"}, {"node_cert_expiry": 3600 * 10**9}),
        ({"external_cas": []}, None),
        ({"external_cas": [{"url": "https://ca"}]}, {"external_cas": [_CFSSL]}),
        ({"labels": {"tier": 1}}, {"labels": {"tier": "1"}}),
        ({"rotate_worker_token": True}, {"worker_token": "a new one"}),
        ({"rotate_ca": True}, {"ca": "a new one"}),
        ({"subnet_size": 24, "data_path_port": 4789, "advertise_addr": "10.0.0.2:2377"}, None),
        ({"default_addr_pool": ["10.0.0.0/8"], "advertise_addr": "eth0"}, None),
    ],
)
def test_settings(given: dict[str, Any], after: dict[str, Any] | None) -> None:
    actions = plan(wanted(**given), MANAGER)
    assert [action.after for action in actions] == ([after] if after else [])


@pytest.mark.parametrize(
    "given", [{"subnet_size": 26}, {"data_path_port": 1}, {"advertise_addr": "10.0.0.3"}]
)
def test_what_cannot_be_changed(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(FleetError, match=name):
        plan(wanted(**given), MANAGER)


def test_a_wrong_token_is_not_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        plan(wanted(join_token="SWMTKN-1-secret", remote_addrs=["10.0.0.2"]), OUTSIDE)
    assert "secret" not in str(caught.value)
    with pytest.raises(Invalid, match="autolock, rotate_ca"):
        plan(joining(autolock=True, rotate_ca=True), OUTSIDE)


def test_an_external_authority_as_the_engine_shows_it() -> None:
    spec = {**CLUSTER["Spec"], "CAConfig": {"ExternalCAs": [{**_CFSSL, "Options": {"a": "1"}}]}}
    facts = Facts(swarm(manages=True), {**CLUSTER, "Spec": spec}, managers("ready"), HERE)
    given = {"url": "https://ca", "protocol": "cfssl", "options": {"a": 1}, "ca_cert": None}
    assert plan(wanted(external_cas=[given]), facts) == []
    (removed,) = plan(wanted(external_cas=[]), facts)
    assert removed.data["values"] == {"CAConfig.ExternalCAs": []}


@pytest.mark.parametrize("state", ["active", "pending"])
def test_a_lost_quorum(state: str) -> None:
    known = [{"NodeID": f"id-m{n}", "Addr": f"10.0.0.{n + 1}:2377"} for n in (1, 2, 3)]
    lost = Facts(swarm(state, manages=True, RemoteManagers=known), None, None, HERE)
    (step,) = plan(wanted(force_new_cluster=True, autolock=False, labels={"a": "b"}), lost)
    assert step.data["body"] == {
        "ForceNewCluster": True,
        "AdvertiseAddr": "10.0.0.2:2377",
        "ListenAddr": "0.0.0.0:2377",
        # The other settings are compared when they show again.
        "Spec": {"EncryptionConfig": {"AutoLockManagers": False}},
    }
    assert step.data["replan"]
    (step,) = plan(wanted(force_new_cluster=True, advertise_addr="eth1"), lost)
    assert step.data["body"]["AdvertiseAddr"] == "eth1"
    assert verbs(wanted(force_new_cluster=True), MANAGER) == []
    assert verbs(wanted(force_new_cluster=True, state="absent", force=True), lost) == ["leave"]


def test_what_does_not_begin_anew() -> None:
    lost = swarm(manages=True)
    with pytest.raises(FleetError, match="has no leader"):
        plan(wanted(), Facts(lost))
    with pytest.raises(FleetError, match="is autolocked"):
        plan(wanted(force_new_cluster=True), Facts(lost, encrypted=True))
    with pytest.raises(FleetError, match="in no swarm"):
        plan(wanted(force_new_cluster=True), OUTSIDE)
    with pytest.raises(FleetError, match="is a worker"):
        plan(wanted(force_new_cluster=True), WORKER)
    with pytest.raises(Invalid, match="not of a node that joins"):
        plan(joining(force_new_cluster=True), Facts(lost))


def test_locked() -> None:
    locked = Facts(swarm("locked"))
    with pytest.raises(FleetError, match="unlock_key"):
        plan(wanted(), locked)
    (unlock,) = plan(wanted(unlock_key="SWMKEY-1-k"), locked)
    assert "SWMKEY" not in f"{unlock.summary()} {unlock.before} {unlock.after}"
    with pytest.raises(FleetError, match="cannot give up its vote"):
        plan(wanted(state="absent"), locked)
    assert verbs(wanted(state="absent", force=True), locked) == ["leave"]


@pytest.mark.parametrize(
    ("states", "plain", "forced"),
    [
        (["ready"], "it is the last manager", ["leave"]),
        (["ready", "ready"], ["drain", "demote", "leave"], ["drain", "demote", "leave"]),
        (["ready", "down"], "1 managers that remain, 0 can be reached", ["leave"]),
        (None, "has no leader", ["leave"]),
    ],
)
def test_leave(states: list[str] | None, plain: Any, forced: list[str]) -> None:
    nodes = managers(*states) if states else None
    facts = Facts(swarm(manages=True), CLUSTER, nodes)
    if isinstance(plain, str):
        with pytest.raises(FleetError, match=plain):
            plan(wanted(state="absent"), facts)
    else:
        assert verbs(wanted(state="absent"), facts) == plain
    assert verbs(wanted(state="absent", force=True), facts) == forced
    assert verbs(wanted(state="absent"), WORKER) == ["leave"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.2:2377", "10.0.0.2"),
        ("10.0.0.2", "10.0.0.2"),
        ("[fd00::2]:2377", "fd00::2"),
        ("fd00::2", "fd00::2"),
        ("manager1:2377", "manager1"),
    ],
)
def test_host(address: str, expected: str) -> None:
    assert host(address) == expected
