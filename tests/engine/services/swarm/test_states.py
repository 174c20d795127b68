"""The state machine of tasks, row by row."""

from __future__ import annotations

import pytest

from davit.services.swarm.states import State, Step, failed, next_step

_EVERY = sorted(State.values())


@pytest.mark.parametrize(
    ("status", "desired", "step"),
    [
        (State.ASSIGNED, State.RUNNING, Step.ACCEPT),
        (State.ACCEPTED, State.RUNNING, Step.BEGIN_PREPARING),
        (State.PREPARING, State.RUNNING, Step.PREPARE),
        (State.READY, State.RUNNING, Step.BEGIN_STARTING),
        (State.STARTING, State.RUNNING, Step.START),
        (State.RUNNING, State.RUNNING, Step.WAIT),
        # A job: it is to end by itself.
        (State.RUNNING, State.COMPLETE, Step.WAIT),
        # The successor of a task that still stops: made ready, and no further.
        (State.PREPARING, State.READY, Step.PREPARE),
        (State.READY, State.READY, None),
        # A desired state that was lowered does not undo anything.
        (State.RUNNING, State.READY, None),
    ],
)
def test_next_step(status: int, desired: int, step: Step | None) -> None:
    assert next_step(status, desired) is step


@pytest.mark.parametrize("desired", [State.SHUTDOWN, State.REMOVE])
@pytest.mark.parametrize("status", [state for state in _EVERY if state < State.COMPLETE])
def test_whatever_is_to_go_is_stopped(status: int, desired: int) -> None:
    assert next_step(status, desired) is Step.STOP


@pytest.mark.parametrize("desired", _EVERY)
@pytest.mark.parametrize("status", [state for state in _EVERY if state >= State.COMPLETE])
def test_what_has_ended_stays_so(status: int, desired: int) -> None:
    assert next_step(status, desired) is None


def test_failures() -> None:
    assert failed(State.PREPARING) == State.REJECTED
    assert failed(State.STARTING) == State.FAILED
    assert failed(State.RUNNING) == State.FAILED
