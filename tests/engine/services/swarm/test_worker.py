"""Assignments, as managers send them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from davit._pb import swarmkit_pb2 as pb
from davit.services.swarm.states import State
from davit.services.swarm.worker import Worker, named
from davit.store.db import Database
from davit.store.swarm import TaskStore
from tests.engine.services.swarm.conftest import FakeController, until

COMPLETE, INCREMENTAL = pb.AssignmentsMessage.COMPLETE, pb.AssignmentsMessage.INCREMENTAL
REMOVE = pb.AssignmentChange.REMOVE


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[TaskStore]:
    database = Database(tmp_path / "state.db")
    await database.open()
    yield TaskStore(database)
    await database.close()


@pytest.fixture
async def worker(store: TaskStore) -> AsyncIterator[Worker]:
    worker = Worker(store, lambda _: FakeController())
    await worker.open()
    yield worker
    await worker.close()


def change(
    action: pb.AssignmentChange.Action = pb.AssignmentChange.UPDATE,
    *,
    task: pb.Task | None = None,
    secret: pb.Secret | None = None,
) -> pb.AssignmentChange:
    return pb.AssignmentChange(action=action, assignment=pb.Assignment(task=task, secret=secret))


def message(
    kind: pb.AssignmentsMessage.Type, *changes: pb.AssignmentChange
) -> pb.AssignmentsMessage:
    return pb.AssignmentsMessage(type=kind, changes=changes)


def a_task(task_id: str, desired: pb.TaskState = pb.RUNNING) -> pb.Task:
    task = pb.Task(id=task_id, desired_state=desired, status=pb.TaskStatus(state=pb.ASSIGNED))
    task.spec.container.image = "busybox"
    task.spec.container.pull_options.registry_auth = "c2VjcmV0"
    return task


def controller(worker: Worker) -> FakeController:
    assert isinstance(worker.controller, FakeController)
    return worker.controller


async def reported(worker: Worker, state: int) -> dict[str, pb.TaskStatus]:
    """Take reports until one has the state."""
    while True:
        await asyncio.wait_for(worker.reportable.wait(), 10)
        statuses = dict(worker.take_unreported())
        if any(status.state == state for status in statuses.values()):
            return statuses


async def test_secret_is_there_before_its_task(worker: Worker) -> None:
    secret = pb.Secret(id="s1", spec=pb.SecretSpec(data=b"hush"))
    await worker.apply(message(COMPLETE, change(task=a_task("t1")), change(secret=secret)))
    found = worker.dependencies.secret("s1")
    assert found is not None
    assert found.spec.data == b"hush"
    for _twice in range(2):
        await worker.apply(message(INCREMENTAL, change(REMOVE, secret=pb.Secret(id="s1"))))
    assert worker.dependencies.secret("s1") is None


async def test_complete_message_removes_what_it_does_not_name(worker: Worker) -> None:
    await worker.apply(message(COMPLETE, change(task=a_task("t1")), change(task=a_task("t2"))))
    await reported(worker, State.RUNNING)
    await worker.apply(message(COMPLETE, change(task=a_task("t2"))))
    assert [task.id for task in worker.tasks()] == ["t2"]
    await until(lambda: ("remove", "t1") in controller(worker).calls, "it is removed")


async def test_incremental_message_leaves_the_others(worker: Worker) -> None:
    await worker.apply(message(COMPLETE, change(task=a_task("t1"))))
    await worker.apply(message(INCREMENTAL, change(task=a_task("t2"))))
    assert {task.id for task in worker.tasks()} == {"t1", "t2"}
    # A removal carries the ID only.
    await worker.apply(message(INCREMENTAL, change(REMOVE, task=pb.Task(id="t1"))))
    assert [task.id for task in worker.tasks()] == ["t2"]


async def test_only_the_newest_status_is_reported(worker: Worker) -> None:
    await worker.apply(message(COMPLETE, change(task=a_task("t1"))))
    statuses = await reported(worker, State.RUNNING)
    assert statuses["t1"].state == State.RUNNING
    assert worker.take_unreported() == []
    worker.report_all()
    assert [task_id for task_id, _ in worker.take_unreported()] == ["t1"]


async def test_no_credentials_on_disk(worker: Worker, store: TaskStore) -> None:
    await worker.apply(message(COMPLETE, change(task=a_task("t1"))))
    await reported(worker, State.RUNNING)
    task = pb.Task.FromString((await store.load())["t1"].task)
    assert task.spec.container.image == "busybox"
    assert not task.spec.container.HasField("pull_options")


async def test_own_status_counts_after_a_restart(store: TaskStore) -> None:
    first = Worker(store, lambda _: FakeController())
    await first.open()
    await first.apply(message(COMPLETE, change(task=a_task("t1"))))
    await reported(first, State.RUNNING)
    await first.close()

    second = Worker(store, lambda _: FakeController())
    await second.open()
    # The manager has not heard of its start.
    await second.apply(message(COMPLETE, change(task=a_task("t1"))))
    second.report_all()
    assert [status.state for _, status in second.take_unreported()] == [State.RUNNING]
    assert controller(second).calls == []
    # Whatever else an earlier davitd left of tasks goes.
    assert controller(second).kept == [{"t1"}]
    await second.close()


async def test_task_that_was_begun_waits_for_its_assignment(store: TaskStore) -> None:
    """Its secrets come with that only."""
    first = Worker(store, lambda _: FakeController())
    await first.open()
    await first.apply(message(COMPLETE, change(task=a_task("t1", pb.READY))))
    await reported(first, State.READY)
    await first.close()

    second = Worker(store, lambda _: FakeController())
    await second.open()
    await asyncio.sleep(0.05)
    assert controller(second).calls == []
    await second.apply(message(COMPLETE, change(task=a_task("t1"))))
    await reported(second, State.RUNNING)
    assert controller(second).calls == [("start", "t1")]
    await second.close()


async def test_leaving_removes_everything(worker: Worker, store: TaskStore) -> None:
    await worker.apply(message(COMPLETE, change(task=a_task("t1"))))
    await reported(worker, State.RUNNING)
    await worker.clear()
    assert worker.tasks() == []
    assert await store.load() == {}
    assert controller(worker).calls[-2:] == [("shutdown", "t1"), ("remove", "t1")]
    assert controller(worker).kept[-1] == set()


def test_named() -> None:
    tasks = [
        pb.Task(id="t1", service_id="s1", node_id="n1"),
        pb.Task(id="t2", service_id="s2", node_id="n1"),
    ]
    assert [task.id for task in named(tasks, pb.LogSelector(service_ids=["s2"]))] == ["t2"]
    assert [task.id for task in named(tasks, pb.LogSelector(task_ids=["t1"]))] == ["t1"]
    assert len(named(tasks, pb.LogSelector(node_ids=["n1"]))) == 2
    assert named(tasks, pb.LogSelector()) == []
