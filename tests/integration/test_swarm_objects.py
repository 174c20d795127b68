"""What a manager keeps for its swarm, on a real one: facts, secrets, configs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.swarmbed import Manager, managers
from tests.integration.conftest import Fleet


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with managers(1) as (first,):
        yield first


@pytest.fixture
def swarm(manager: Manager) -> Iterator[Fleet]:
    """The manager as the modules see it, empty again after the test."""
    fleet = Fleet("moby", manager.socket, manager.client)
    yield fleet
    for kind in ("services", "secrets", "configs"):
        for item in fleet.client.get(f"/{kind}").json:
            fleet.client.delete(f"/{kind}/{item['ID']}")


def test_swarm_info(swarm: Fleet, manager: Manager) -> None:
    told = swarm.run("swarm_info", objects=["nodes", "services"])
    assert told["node"]["role"] == "manager"
    assert told["node"]["address"] == manager.address
    assert [node["ID"] for node in told["nodes"]] == [told["node"]["id"]]
    assert told["services"] == []
    assert told["cluster"]["ID"] == swarm.client.get("/swarm").json["ID"]
    assert "SWMTKN" not in str(told)
    told = swarm.run("swarm_info", join_tokens=True, unlock_key=True)
    assert told["join_tokens"]["worker"] == manager.token("worker")
    assert told["unlock_key"] == ""


def test_swarm_info_of_a_host_in_no_swarm(fleet: Fleet) -> None:
    told = fleet.run("swarm_info", objects=["nodes"], join_tokens=True)
    assert (told["node"]["state"], told["node"]["role"]) == ("inactive", "none")
    assert told["cluster"] is None
    assert told["nodes"] == []
