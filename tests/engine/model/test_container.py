import itertools

import pytest

from davit.errors import Conflict
from davit.model.container import TRANSITIONS, State, Status

ILLEGAL = [
    (before, after)
    for before, after in itertools.product(Status, Status)
    if after not in TRANSITIONS[before]
]


def test_every_status_has_a_row() -> None:
    assert set(TRANSITIONS) == set(Status)


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_an_illegal_move_raises_and_changes_nothing(before: Status, after: Status) -> None:
    state = State(status=before, pid=7)
    with pytest.raises(Conflict, match=f"{before.value} cannot become {after.value}"):
        state.to(after)
    assert state == State(status=before, pid=7)


def test_a_move_keeps_the_rest() -> None:
    state = State(status=Status.RUNNING, pid=7, restart_count=2).to(Status.PAUSED)
    assert state == State(status=Status.PAUSED, pid=7, restart_count=2)


def test_nothing_running_can_be_removed_without_exiting_first() -> None:
    for status in Status:
        if status.is_running:
            assert Status.REMOVING not in TRANSITIONS[status]


def test_only_what_is_paused_can_be_unpaused() -> None:
    assert State(status=Status.PAUSED, pid=7).thawed() == State(status=Status.RUNNING, pid=7)
    with pytest.raises(Conflict, match="exited cannot be unpaused"):
        State(status=Status.EXITED).thawed()
