"""Two real hosts that begin, join, lock and leave swarms."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.swarmbed import Manager
from tests.integration.conftest import Fleet


@pytest.fixture
def hosts(machines: list[Manager]) -> list[Manager]:
    """The machines, in no swarm."""
    for machine in machines:
        machine.client.post("/swarm/leave", force=True)
    return machines


@pytest.fixture
def first(hosts: list[Manager]) -> Fleet:
    return Fleet("moby", hosts[0].socket, hosts[0].client)


@pytest.fixture
def second(hosts: list[Manager]) -> Fleet:
    return Fleet("moby", hosts[1].socket, hosts[1].client)


def verbs(result: dict[str, Any]) -> list[str]:
    return [action["action"] for action in result["actions"]]


def _begin(host: Manager, **options: Any) -> dict[str, Any]:
    """A swarm of one; returns how others join it."""
    fleet = Fleet("moby", host.socket, host.client)
    told = fleet.run("swarm", advertise_addr=host.address, return_tokens=True, **options)
    return {"remote_addrs": [host.address], "join_token": told["join_tokens"]["worker"]}


def test_begin_change_and_leave(first: Fleet, hosts: list[Manager]) -> None:
    lasting = {"default_addr_pool": ["10.50.0.0/16"], "subnet_size": 26}
    options = {
        "advertise_addr": hosts[0].address,
        "task_history_limit": 2,
        "node_cert_expiry": "720h",
        "labels": {"stage": "test"},
        **lasting,
    }
    begun = first.apply("swarm", **options)
    assert verbs(begun) == ["init"]
    assert begun["node"]["role"] == "manager"
    assert begun["cluster_id"] == first.client.get("/swarm").json["ID"]
    settings = {
        "labels": {},
        "dispatcher_heartbeat": "7s",
        "snapshot_interval": 5000,
        "keep_old_snapshots": 1,
        "log_entries_for_slow_followers": 400,
    }
    changed = first.apply("swarm", **settings)
    assert set(changed["diff"][0]["after"]) == set(settings)
    spec = first.client.get("/swarm").json["Spec"]
    assert spec["Dispatcher"]["HeartbeatPeriod"] == 7 * 10**9
    # What is not given stays.
    assert spec["Orchestration"]["TaskHistoryRetentionLimit"] == 2
    refused = first.run("swarm", fails=True, subnet_size=28)
    assert "the swarm has 26" in refused["msg"]
    refused = first.run("swarm", fails=True, state="absent")
    assert "it is the last manager" in refused["msg"]
    left = first.apply("swarm", state="absent", force=True)
    assert left["node"]["state"] == "inactive"


def test_join_and_leave_as_a_worker(first: Fleet, second: Fleet, hosts: list[Manager]) -> None:
    way = _begin(hosts[0])
    joined = second.apply("swarm", **way)
    assert verbs(joined) == ["join"]
    assert joined["node"]["role"] == "worker"
    refused = second.run("swarm", fails=True)
    assert "cannot begin one" in refused["msg"]
    ids = [node["ID"] for node in first.client.get("/nodes").json]
    assert not second.run("swarm", **way, node_ids=ids)["changed"]
    second.apply("swarm", state="absent")
    # A worker that has left is down, and then it can go.
    identity = joined["node"]["id"]
    removed = first.run("node", name=identity, state="absent", force=True)
    assert "remove" in verbs(removed)


def test_a_manager_gives_up_its_vote_before_it_leaves(
    first: Fleet, second: Fleet, hosts: list[Manager]
) -> None:
    way = _begin(hosts[0])
    second.run("swarm", **{**way, "join_token": hosts[0].token("manager")})
    left = second.apply("swarm", state="absent")
    assert verbs(left) == ["drain", "demote", "leave"]
    # The one that remains can still decide.
    first.apply("swarm", task_history_limit=3)


def test_another_swarm(first: Fleet, second: Fleet, hosts: list[Manager]) -> None:
    way = _begin(hosts[0])
    _begin(hosts[1])
    refused = second.run("swarm", fails=True, **way)
    assert "is a manager of another swarm" in refused["msg"]
    identity = first.client.get("/swarm").json["ID"]
    refused = second.run("swarm", fails=True, cluster_id=identity)
    assert identity in refused["msg"]
    refused = second.run("swarm", fails=True, **way, rejoin=True)
    assert "is a manager there" in refused["msg"]
    moved = second.apply("swarm", **way, rejoin=True, force=True)
    assert verbs(moved) == ["leave", "join"]
    # Now as a worker, which knows its managers but not the swarm's ID.
    refused = second.run("swarm", fails=True, **{**way, "remote_addrs": [hosts[1].address]})
    assert f"its managers are {hosts[0].address}" in refused["msg"]
    refused = second.run("swarm", fails=True, **way, node_ids=["another"])
    assert "is not among node_ids" in refused["msg"]


def test_tokens(first: Fleet, second: Fleet, hosts: list[Manager]) -> None:
    way = _begin(hosts[0])
    told = [first.run("swarm", check=True, rotate_worker_token=True)]
    assert hosts[0].token("worker") == way["join_token"]
    told.append(first.run("swarm", rotate_worker_token=True))
    assert hosts[0].token("worker") != way["join_token"]
    refused = second.run("swarm", fails=True, **way)
    assert "join token" in refused["msg"]
    assert second.run("swarm_info")["node"]["state"] == "inactive"
    told.append(refused)
    told.append(second.run("swarm", fails=True, **{**way, "join_token": "SWMTKN-1-a-b"}))
    # It goes on behind the answer, until all nodes have their certificates from it.
    before = first.client.get("/swarm").json["Spec"]["CAConfig"].get("ForceRotate", 0)
    told.append(first.run("swarm", rotate_ca=True))
    after = first.client.get("/swarm").json["Spec"]["CAConfig"]["ForceRotate"]
    assert after == before + 1
    assert "SWMTKN" not in str(told)


def test_locked(first: Fleet, hosts: list[Manager]) -> None:
    _begin(hosts[0], autolock=True)
    key = first.run("swarm_info", unlock_key=True)["unlock_key"]
    # By this, a manager without a leader is seen to be one that cannot begin its swarm anew.
    assert "ENCRYPTED" in (hosts[0].root / "data/swarm/certificates/swarm-node.key").read_text()
    hosts[0].stop()
    hosts[0].start()
    assert first.run("swarm_info")["node"]["state"] == "locked"
    refused = first.run("swarm", fails=True)
    assert "is locked" in refused["msg"]
    refused = first.run("secret", fails=True, name="pw", data="one")
    assert "is locked" in refused["msg"]
    # What else is declared is done in the same run.
    done = first.run("swarm", unlock_key=key, autolock=False)
    assert verbs(done) == ["unlock", "update"]
    assert key not in str(done)
    assert not first.run("swarm", unlock_key=key, autolock=False)["changed"]


def test_external_authorities(first: Fleet, hosts: list[Manager]) -> None:
    _begin(hosts[0])
    given = {"url": "https://192.0.2.1/sign", "options": {"profile": "node"}}
    first.apply("swarm", external_cas=[given])
    (shown,) = first.client.get("/swarm").json["Spec"]["CAConfig"]["ExternalCAs"]
    assert (shown["URL"], shown["Options"]) == (given["url"], given["options"])
    # What is not given stays.
    assert not first.run("swarm")["changed"]
    first.apply("swarm", external_cas=[])


def test_a_lost_quorum(first: Fleet, second: Fleet, hosts: list[Manager]) -> None:
    way = _begin(hosts[0], labels={"stage": "test"})
    second.run("swarm", **{**way, "join_token": hosts[0].token("manager")})
    first.run("secret", name="kept", data="one")
    identity = first.client.get("/swarm").json["ID"]
    assert not first.run("swarm", force_new_cluster=True)["changed"]
    hosts[1].kill()
    try:
        # It would notice after a while; started anew, it knows at once.
        hosts[0].stop()
        hosts[0].start()
        # Not 30 s, which an election may take: there is nobody to take part in one.
        patience = {"wait_timeout": 5}
        refused = first.run("swarm", fails=True, wait_timeout=1)
        assert "does not have a leader" in refused["msg"]
        told = first.run("swarm", check=True, force_new_cluster=True, **patience)
        assert verbs(told) == ["recover"]
        done = first.run("swarm", force_new_cluster=True, task_history_limit=3, **patience)
        assert verbs(done) == ["recover", "update"]
        assert done["cluster_id"] == identity
        assert first.client.get("/swarm").json["Spec"]["Labels"] == {"stage": "test"}
        assert [item["Spec"]["Name"] for item in first.client.get("/secrets").json] == ["kept_v1"]
        assert not first.run("swarm", force_new_cluster=True, task_history_limit=3)["changed"]
    finally:
        hosts[1].start()
