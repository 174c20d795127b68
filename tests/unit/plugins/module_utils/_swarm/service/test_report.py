"""What is told of services and their tasks."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import report

from ..fakes import FakeEngine

WEB = {
    "ID": "s1",
    "CreatedAt": "c",
    "UpdatedAt": "u",
    "Version": {"Index": 7},
    "Spec": {
        "Name": "web",
        "Mode": {"Replicated": {"Replicas": 1}},
        "TaskTemplate": {"ContainerSpec": {"Image": "shop:2"}},
    },
    "PreviousSpec": {"Name": "web"},
    "UpdateStatus": {"State": "completed", "Message": "update completed"},
    "Endpoint": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]},
}
EACH = {
    "ID": "s2",
    "Spec": {"Name": "each", "Mode": {"Global": {}}, "TaskTemplate": {}},
}


def a_task(identity: str, created: str, state: str, **more: Any) -> dict[str, Any]:
    desired = "running" if state == "running" else "shutdown"
    made = {"ID": identity, "ServiceID": "s1", "CreatedAt": created, "DesiredState": desired}
    status = {"State": state, **more.pop("status", {})}
    return {**made, "Spec": WEB["Spec"]["TaskTemplate"], "Status": status, **more}


TASKS = [
    a_task("t2", "2", "failed", Slot=1, NodeID="n1", status={"ContainerStatus": {"ExitCode": 3}}),
    a_task("t3", "3", "running", Slot=1, NodeID="n2", status={"ContainerStatus": {"PID": 5}}),
    a_task("t1", "1", "rejected", Slot=1, NodeID="n1", status={"Err": "No such image: shop:1"}),
    a_task("t4", "4", "running", ServiceID="s2", NodeID="n1"),
]


def manager(services: list[dict[str, Any]]) -> FakeEngine:
    nodes = [{"ID": "n1", "Description": {"Hostname": "worker1"}}, {"ID": "n2"}]
    return FakeEngine({"services": services, "nodes": nodes, "tasks": TASKS})


def test_a_service_and_its_tasks() -> None:
    [told] = report.ask(manager([WEB, EACH]), ["web"])["services"]
    assert (told["id"], told["name"], told["version"]) == ("s1", "web", 7)
    assert (told["image"], told["mode"], told["replicas"]) == ("shop:2", "replicated", 1)
    assert told["spec"] == WEB["Spec"]
    assert told["previous_spec"] == {"Name": "web"}
    assert told["endpoint"] == WEB["Endpoint"]
    assert told["update_status"] == WEB["UpdateStatus"]
    assert (told["converged"], told["progress"]) == (True, "1 of 1 tasks run")
    assert [task["id"] for task in told["tasks"]] == ["t3", "t2", "t1"]
    assert told["tasks"][0]["node"] == "n2"
    assert told["tasks"][0]["exit_code"] is None
    assert told["tasks"][1]["exit_code"] == 3
    assert told["tasks"][2] == {
        "id": "t1",
        "name": "web.1",
        "slot": 1,
        "node": "worker1",
        "node_id": "n1",
        "image": "shop:2",
        "state": "rejected",
        "desired_state": "shutdown",
        "since": "",
        "message": "",
        "error": "No such image: shop:1",
        "exit_code": None,
        "container": "",
        "ports": [],
    }


def test_a_task_of_a_global_service_has_the_name_of_its_node() -> None:
    [told] = report.ask(manager([WEB, EACH]), ["s2"])["services"]
    assert [(task["name"], task["node"]) for task in told["tasks"]] == [("each.n1", "worker1")]
    assert (told["replicas"], told["previous_spec"], told["update_status"]) == (None, None, {})


@pytest.mark.parametrize(
    ("names", "services", "missing"),
    [
        (None, ["each", "web"], []),
        ([], [], []),
        (["web", "lost", "each"], ["web", "each"], ["lost"]),
        (["s1"], ["web"], []),
        (["we"], [], ["we"]),
    ],
)
def test_names(names: list[str] | None, services: list[str], missing: list[str]) -> None:
    told = report.ask(manager([WEB, EACH]), names)
    assert [service["name"] for service in told["services"]] == services
    assert told["missing"] == missing


def test_a_swarm_without_services() -> None:
    assert report.ask(manager([]), None) == {"services": [], "missing": []}


def test_an_update_that_has_stopped_is_not_as_it_should_be() -> None:
    status = {"State": "paused", "Message": "a task failed"}
    [told] = report.ask(manager([{**WEB, "UpdateStatus": status}]), None)["services"]
    assert (told["converged"], told["update"]) == (False, "paused")
