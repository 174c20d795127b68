"""What a manager keeps for its swarm, on a real one: facts, secrets, configs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.swarmbed import Manager
from tests.integration.conftest import Fleet


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


KINDS = pytest.mark.parametrize("kind", ["secret", "config"])


def verbs(result: dict[str, Any]) -> list[str]:
    return [f"{action['action']} {action['name']}" for action in result["actions"]]


def names(swarm: Fleet, kind: str) -> set[str]:
    return {str(item["Spec"]["Name"]) for item in swarm.client.get(f"/{kind}s").json}


def serve(swarm: Fleet, manager: Manager, kind: str, source: str) -> None:
    """A service that uses it; it need not run for that."""
    option = f"--{kind}=source={source},target=app,uid=1000,mode=0400"
    manager.docker("service", "create", "-d", "--replicas=0", "--name", "web", option, "busybox")


def reference(swarm: Fleet, kind: str) -> dict[str, Any]:
    spec = swarm.client.get("/services/web").json["Spec"]
    (found,) = spec["TaskTemplate"]["ContainerSpec"][f"{kind.capitalize()}s"]
    return dict(found)


@KINDS
def test_rotation(swarm: Fleet, manager: Manager, kind: str) -> None:
    first = swarm.apply(kind, name="pw", data="hunter1")
    assert verbs(first) == ["create pw_v1"]
    serve(swarm, manager, kind, first[kind]["name"])
    before = reference(swarm, kind)
    second = swarm.apply(kind, name="pw", data="hunter2")
    assert verbs(second) == ["create pw_v2", "update web"]
    after = reference(swarm, kind)
    assert after[f"{kind.capitalize()}ID"] == second[kind]["id"]
    assert after["File"] == before["File"]
    # The version before is there, so the service can go back to it.
    manager.docker("service", "rollback", "-d", "web")
    assert reference(swarm, kind) == before
    third = swarm.apply(kind, name="pw", data="hunter3", keep_versions=0)
    assert verbs(third) == ["create pw_v3", "update web", "remove pw_v2", "remove pw_v1"]
    assert names(swarm, kind) == {"pw_v3"}
    refused = swarm.run(kind, fails=True, name="pw", state="absent")
    assert "in use by services (web)" in refused["msg"]
    swarm.client.delete("/services/web")
    assert verbs(swarm.apply(kind, name="pw", state="absent")) == ["remove pw_v3"]


def test_check_mode_makes_nothing(swarm: Fleet) -> None:
    told = swarm.run("config", check=True, name="pw", data="one")
    assert told["changed"]
    assert told["config"] == {"name": "pw_v1", "id": ""}
    assert names(swarm, "config") == set()


@KINDS
def test_labels(swarm: Fleet, kind: str) -> None:
    swarm.run(kind, name="pw", data="one", labels={"tier": "front"})
    changed = swarm.apply(kind, name="pw", data="one", labels={"tier": "back"})
    assert changed["diff"][0]["after"] == {"labels": {"tier": "back"}}
    assert verbs(swarm.run(kind, name="pw", data="one")) == ["update pw_v1"]


@KINDS
def test_one_name_one_object(swarm: Fleet, manager: Manager, kind: str) -> None:
    swarm.run(kind, name="pw", data="one", versioned=False)
    swarm.run(kind, name="pw", data="dHdv", data_is_base64=True, versioned=False)
    assert not swarm.run(kind, name="pw", data="two", versioned=False)["changed"]
    serve(swarm, manager, kind, "pw")
    refused = swarm.run(kind, fails=True, name="pw", data="three", versioned=False)
    assert "set versioned" in refused["msg"]


def test_content_from_a_file_of_the_host(swarm: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(bytes(range(256)))
    swarm.run("config", name="raw", data_file=str(file))
    (found,) = swarm.client.get("/configs").json
    assert base64.b64decode(found["Spec"]["Data"]) == bytes(range(256))
    missing = swarm.run("config", fails=True, name="raw", data_file=f"{file}.gone")
    assert "No such file" in missing["msg"]
    assert "missing" in swarm.run("config", fails=True, name="raw")["msg"]


def test_a_secret_is_shown_nowhere(swarm: Fleet) -> None:
    results = [swarm.run("secret", name="pw", data=word) for word in ("hunter1", "hunter2")]
    results.append(swarm.run("swarm_info", objects=["secrets"]))
    assert "hunter" not in str(results)


def test_objects_need_a_manager(fleet: Fleet) -> None:
    refused = fleet.run("secret", fails=True, name="pw", data="one")
    assert "is in no swarm" in refused["msg"]
    # An earlier task of the play may begin the swarm.
    told = fleet.run("secret", check=True, name="pw", data="one")
    assert verbs(told) == ["create pw_v1"]
    assert "yet to begin" in str(told["warnings"])
