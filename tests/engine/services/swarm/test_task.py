"""The loop of one task, with a controller that only remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from davit._pb import swarmkit_pb2 as pb
from davit.errors import NotFound
from davit.services.swarm.needs import Ended, Retry
from davit.services.swarm.states import State
from davit.services.swarm.task import TaskRun
from tests.engine.services.swarm.conftest import FakeController


class Reports:
    """The statuses that a manager would see, and a way to wait for one of them."""

    def __init__(self) -> None:
        self.seen: list[pb.TaskStatus] = []
        self._news = asyncio.Event()

    async def __call__(self, run: TaskRun) -> None:
        self.seen.append(run.status)
        self._news.set()

    @property
    def states(self) -> list[int]:
        return [status.state for status in self.seen]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.wait_for(self._news.wait(), 10)
            self._news.clear()


def assigned(desired: int = State.RUNNING) -> pb.Task:
    return pb.Task(id="t1", desired_state=pb.TaskState.Name(desired))


def task_run(controller: FakeController, reports: Reports, desired: int = State.RUNNING) -> TaskRun:
    status = pb.TaskStatus(state=pb.ASSIGNED)
    run = TaskRun(assigned(desired), status, controller, reports)
    run.start()
    return run


_STARTED = [State.ACCEPTED, State.PREPARING, State.READY, State.STARTING, State.RUNNING]


async def test_all_states_are_reported() -> None:
    controller, reports = FakeController(), Reports()
    run = task_run(controller, reports)
    await reports.until(lambda: State.RUNNING in reports.states)
    assert reports.states == _STARTED
    assert all(status.HasField("timestamp") for status in reports.seen)
    assert [status.container.container_id != "" for status in reports.seen] == [False] * 3 + [
        True
    ] * 2
    controller.ends["t1"].set_result(0)
    await reports.until(lambda: State.COMPLETE in reports.states)
    assert reports.seen[-1].err == ""
    await run.close()


async def test_ready_waits_until_it_may_go_on() -> None:
    controller, reports = FakeController(), Reports()
    run = task_run(controller, reports, State.READY)
    await reports.until(lambda: State.READY in reports.states)
    await asyncio.sleep(0)
    assert controller.calls == [("prepare", "t1")]
    run.update(assigned(State.RUNNING))
    await reports.until(lambda: State.RUNNING in reports.states)
    await run.close()


async def test_lower_desired_state_is_ignored() -> None:
    controller, reports = FakeController(), Reports()
    run = task_run(controller, reports)
    await reports.until(lambda: State.RUNNING in reports.states)
    run.update(assigned(State.SHUTDOWN))
    run.update(assigned(State.RUNNING))
    await reports.until(lambda: State.SHUTDOWN in reports.states)
    assert controller.calls[-1] == ("shutdown", "t1")
    await run.close()


class Hanging(FakeController):
    """Its pull never ends, and can be cut off."""

    cut = False

    async def prepare(self, task: pb.Task) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.cut = True


async def test_stop_cuts_a_pull_off() -> None:
    controller, reports = Hanging(), Reports()
    run = task_run(controller, reports)
    await reports.until(lambda: State.PREPARING in reports.states)
    run.update(assigned(State.SHUTDOWN))
    await reports.until(lambda: State.SHUTDOWN in reports.states)
    assert controller.cut
    assert State.READY not in reports.states
    await run.close()


async def test_removal_cuts_a_pull_off() -> None:
    controller, reports = Hanging(), Reports()
    run = task_run(controller, reports)
    await reports.until(lambda: State.PREPARING in reports.states)
    await run.remove()
    assert controller.cut
    assert controller.calls == [("shutdown", "t1"), ("remove", "t1")]


class Failing(FakeController):
    """Raises at the named step; what passes does so the second time."""

    def __init__(self, step: str, *errors: Exception) -> None:
        super().__init__()
        self._step = step
        self._errors = list(errors)

    async def prepare(self, task: pb.Task) -> None:
        self._fail("prepare")
        await super().prepare(task)

    async def start(self, task: pb.Task) -> None:
        self._fail("start")
        await super().start(task)

    async def wait(self, task: pb.Task) -> Ended:
        self._fail("wait")
        return await super().wait(task)

    def _fail(self, step: str) -> None:
        if step == self._step and self._errors:
            raise self._errors.pop(0)


@pytest.mark.parametrize(
    ("step", "state"),
    [("prepare", State.REJECTED), ("start", State.FAILED), ("wait", State.FAILED)],
)
@pytest.mark.parametrize("error", [NotFound("No such image: x"), RuntimeError("No such image: x")])
async def test_failure_is_told(step: str, state: int, error: Exception) -> None:
    reports = Reports()
    run = task_run(Failing(step, error), reports)
    await reports.until(lambda: state in reports.states)
    assert "No such image: x" in reports.seen[-1].err
    await run.close()


async def test_passing_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davit.services.swarm.task._RETRY_SECONDS", 0)
    reports = Reports()
    run = task_run(Failing("start", Retry("the network is not there yet")), reports)
    await reports.until(lambda: State.RUNNING in reports.states)
    assert reports.states == [*_STARTED[:-1], State.STARTING, State.RUNNING]
    assert reports.seen[-2].err == "the network is not there yet"
    assert reports.seen[-1].err == ""
    await run.close()


class Stubborn(FakeController):
    """Removes at the second try only."""

    async def remove(self, task: pb.Task) -> None:
        await super().remove(task)
        if self.calls.count(("remove", task.id)) == 1:
            raise OSError("device is busy")


async def test_removal_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davit.services.swarm.task._REMOVAL_RETRY_SECONDS", 0)
    controller = Stubborn()
    run = task_run(controller, Reports())
    await run.remove()
    assert controller.calls.count(("remove", "t1")) == 2
