"""Nodes of a real swarm, and who is in it: two managers, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.swarmbed import Manager
from tests.integration.conftest import Fleet


@pytest.fixture(scope="module")
def hosts(manager: Manager, machines: list[Manager]) -> list[Manager]:
    machines[1].join(manager)
    return machines


@pytest.fixture
def first(hosts: list[Manager]) -> Fleet:
    return _fleet(hosts[0])


@pytest.fixture
def second(hosts: list[Manager]) -> Fleet:
    return _fleet(hosts[1])


def _fleet(host: Manager) -> Fleet:
    return Fleet("moby", host.socket, host.client)


def _id(fleet: Fleet) -> str:
    return str(fleet.client.get("/info").json["Swarm"]["NodeID"])


def verbs(result: dict[str, Any]) -> list[str]:
    return [action["action"] for action in result["actions"]]


def test_labels_of_a_node(first: Fleet, second: Fleet) -> None:
    name = _id(second)
    changed = first.apply("node", name=name, labels={"zone": "a", "rack": 4})
    assert changed["node"]["labels"] == {"zone": "a", "rack": "4"}
    changed = first.apply("node", name=name, labels={"rack": None})
    assert changed["node"]["labels"] == {"zone": "a"}
    first.run("node", name=name, labels={}, labels_mode="replace")


def test_a_host_name_of_two_nodes_is_none(first: Fleet) -> None:
    hostname = first.client.get("/nodes").json[0]["Description"]["Hostname"]
    refused = first.run("node", fails=True, name=hostname, availability="pause")
    assert "2 nodes have this host name" in refused["msg"]


def test_draining_ends_when_the_tasks_have_ended(
    first: Fleet, second: Fleet, hosts: list[Manager]
) -> None:
    # By its ID: an engine asks no registry for that.
    image = hosts[1].client.get("/images/busybox/json").json["Id"]
    hosts[0].docker(
        *("service", "create", "-d", "--name", "web", "--replicas=2", "--network=host"),
        *("--stop-grace-period=1s", "--constraint", f"node.id=={_id(second)}"),
        *("--no-resolve-image", image, "sleep", "600"),
    )
    assert _until(lambda: hosts[0].states("web").count("running") == 2), hosts[0].tasks("web")
    changed = first.apply("node", name=_id(second), availability="drain")
    assert changed["node"]["availability"] == "drain"
    assert second.client.get("/containers/json").json == []
    first.client.delete("/services/web")
    first.run("node", name=_id(second), availability="active")


def test_demote_and_promote(first: Fleet, second: Fleet) -> None:
    changed = first.apply("node", name=_id(second), role="worker")
    assert changed["node"]["role"] == "worker"
    assert second.run("swarm_info")["node"]["role"] == "worker"
    refused = first.run("node", fails=True, name=_id(first), role="worker")
    assert "the last manager" in refused["msg"]
    refused = second.run("node", fails=True, name=_id(first), role="worker")
    assert "is a worker" in refused["msg"]
    first.apply("node", name=_id(second), role="manager")
    # It answers for itself that it is none any more.
    done = second.run("node", name=_id(second), role="worker")
    assert done["changed"]
    assert done["node"] is None


def test_a_node_goes_in_order(first: Fleet, second: Fleet) -> None:
    name = _id(second)
    first.run("node", name=name, role="manager")
    refused = first.run("node", fails=True, name=name, state="absent")
    assert "let it leave first" in refused["msg"]
    removed = first.apply("node", name=name, state="absent", force=True)
    assert verbs(removed) == ["drain", "demote", "remove"]
    assert removed["node"] is None
    assert len(first.client.get("/nodes").json) == 1


def _until(reached: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not reached() and time.monotonic() < end:
        time.sleep(0.1)
    return reached()
