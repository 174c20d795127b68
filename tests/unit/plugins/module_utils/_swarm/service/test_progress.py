"""How far a service has come, by what its manager tells."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._swarm.service.progress import (
    REST,
    ROLLBACK,
    UPDATE,
    errors,
    look,
    monitor,
    worded,
)

NOW, OLD = {"ContainerSpec": {"Image": "web:2"}}, {"ContainerSpec": {"Image": "web:1"}}
REPLICATED = {"Replicated": {"Replicas": 2}}


def a_service(
    mode: dict[str, Any], status: str = "", policy: dict[str, Any] | None = None, turn: int = 0
) -> dict[str, Any]:
    template = {**NOW, "RestartPolicy": policy} if policy else NOW
    made: dict[str, Any] = {"ID": "s1", "Spec": {"Name": "web", "Mode": mode}}
    made["Spec"]["TaskTemplate"] = template
    if status:
        made["UpdateStatus"] = {"State": status, "Message": f"the {status} message"}
    if turn:
        made["JobStatus"] = {"JobIteration": {"Index": turn}}
    return made


def a_task(state: str, desired: str = "running", **more: Any) -> dict[str, Any]:
    made = {"ID": "t1", "CreatedAt": "1", "DesiredState": desired, "Spec": NOW}
    status = {"State": state, "Err": more.pop("error", "")}
    return {**made, "Status": status, **more}


RUNNING = [a_task("running")] * 2


@pytest.mark.parametrize(
    ("tasks", "text", "reached", "stuck"),
    [
        (RUNNING, "2 of 2 tasks run", True, False),
        ([a_task("running"), a_task("starting")], "1 of 2 tasks run", False, False),
        ([*RUNNING, a_task("running", "shutdown")], "2 of 2 tasks run", True, False),
        ([a_task("running"), a_task("running", Spec=OLD)], "1 of 2 tasks run", False, False),
        # Yet to be stopped.
        ([*RUNNING, a_task("running")], "3 of 2 tasks run", False, False),
        # To be started after a pause.
        (
            [a_task("failed", "shutdown"), a_task("ready", "ready")],
            "0 of 2 tasks run",
            False,
            False,
        ),
        ([a_task("rejected", "shutdown")], "0 of 2 tasks run", False, True),
        ([], "0 of 2 tasks run", False, True),
    ],
)
def test_tasks_that_are_to_run(
    tasks: list[dict[str, Any]], text: str, reached: bool, stuck: bool
) -> None:
    found = look(a_service(REPLICATED), tasks, UPDATE)
    assert (found.text, found.reached, found.stuck) == (text, reached, stuck)
    assert not found.settled
    assert look(a_service(REPLICATED), tasks, REST).settled == reached


def test_tasks_stay_where_they_still_may_be() -> None:
    placed = {**NOW, "Placement": {"Constraints": ["node.role==worker"]}}
    assert look(a_service(REPLICATED), [a_task("running", Spec=placed)] * 2, REST).reached


def test_one_on_each_node() -> None:
    found = look(a_service({"Global": {}}), [*RUNNING, a_task("pending")], UPDATE)
    assert (found.text, found.reached) == ("2 of 3 tasks run", False)
    assert look(a_service({"Global": {}}), RUNNING, UPDATE).reached


@pytest.mark.parametrize(
    ("status", "awaited", "reached", "settled", "failed"),
    [
        ("updating", UPDATE, False, False, ""),
        ("completed", UPDATE, True, True, ""),
        ("completed", ROLLBACK, True, False, ""),
        ("paused", UPDATE, False, False, "its update has stopped: the paused message"),
        ("paused", REST, False, False, "its update has stopped: the paused message"),
        ("rollback_started", UPDATE, False, False, ""),
        ("rollback_completed", UPDATE, False, False, "its update failed and was rolled back"),
        ("rollback_completed", ROLLBACK, True, True, ""),
        ("rollback_completed", REST, True, True, ""),
        (
            "rollback_paused",
            ROLLBACK,
            False,
            False,
            "its rollback has stopped: the rollback_paused message",
        ),
    ],
)
def test_updates(status: str, awaited: str, reached: bool, settled: bool, failed: str) -> None:
    found = look(a_service(REPLICATED, status), RUNNING, awaited)
    assert (found.reached, found.settled, found.failed) == (reached, settled, failed)


def test_jobs() -> None:
    job = {"ReplicatedJob": {"TotalCompletions": 2, "MaxConcurrent": 1}}
    one = a_task("complete", "complete", JobIteration={"Index": 1})
    other = a_task("running", "complete", JobIteration={"Index": 1})
    before = a_task("complete", "complete", JobIteration={})
    found = look(a_service(job, turn=1), [before, one, other], UPDATE)
    assert (found.text, found.reached, found.stuck) == ("1 of 2 tasks are complete", False, False)
    assert look(a_service(job, turn=1), [one, one], UPDATE).settled
    assert look(a_service(job, turn=1), [one], UPDATE).stuck
    each = {"GlobalJob": {}}
    assert not look(a_service(each, turn=1), [one, other], UPDATE).reached
    assert look(a_service(each, turn=1), [one, one], UPDATE).settled


@pytest.mark.parametrize(
    ("policy", "failures", "failed"),
    [
        ({"Condition": "none"}, 1, True),
        ({"Condition": "on-failure", "MaxAttempts": 2}, 2, False),
        ({"Condition": "on-failure", "MaxAttempts": 2}, 3, True),
        ({"Condition": "on-failure"}, 9, False),
    ],
)
def test_jobs_that_fail(policy: dict[str, Any], failures: int, failed: bool) -> None:
    job = {"ReplicatedJob": {"TotalCompletions": 1, "MaxConcurrent": 1}}
    tasks = [a_task("failed", "shutdown", Slot=1)] * failures
    found = look(a_service(job, policy=policy), [*tasks, a_task("running", "complete")], UPDATE)
    assert bool(found.failed) == failed


def test_what_went_wrong() -> None:
    tasks = [
        a_task("failed", NodeID="n1", error="exit 1", CreatedAt="1", ID="t1"),
        a_task("failed", NodeID="n1", error="exit 1", CreatedAt="3", ID="t3", Slot=2),
        a_task("rejected", NodeID="n9", error="no image", CreatedAt="2"),
        a_task("pending", error="no suitable node", CreatedAt="0"),
        a_task("running", NodeID="n1"),
        a_task("shutdown", NodeID="n1", error="task: non-zero exit (137)"),
    ]
    found = errors(tasks, {"n1": "worker1"})
    assert [worded(error) for error in found] == [
        "worker1: failed: exit 1",
        "n9: rejected: no image",
        "pending: no suitable node",
    ]
    assert (found[0]["task"], found[0]["slot"]) == ("t3", "2")


def test_monitor() -> None:
    spec = {"UpdateConfig": {"Monitor": 5 * 10**8}, "RollbackConfig": {"Monitor": 10**9}}
    assert (monitor(spec, UPDATE), monitor(spec, ROLLBACK), monitor({}, UPDATE)) == (0.5, 1, 5)
