"""The states of a task, as a worker moves it (SwarmKit's task model).

States are numbers that only grow. The manager says how far a task shall go, the worker how far it
has come; what to do next follows from the two.
"""

from __future__ import annotations

import enum

from davit._pb import swarmkit_pb2 as pb

State = pb.TaskState


class Step(enum.Enum):
    """What is to be done for a task."""

    ACCEPT = "accept"
    BEGIN_PREPARING = "begin preparing"
    PREPARE = "prepare"
    BEGIN_STARTING = "begin starting"
    START = "start"
    WAIT = "wait"
    STOP = "stop"


def next_step(status: int, desired: int) -> Step | None:
    """Return what to do for a task that has come to ``status``; None while there is nothing.

    A task that has ended, however, stays as it is: only its removal is left, and that the manager
    orders apart.
    """
    if status >= State.COMPLETE:
        return None
    if desired >= State.SHUTDOWN:
        return Step.STOP
    if status > desired:
        return None
    if status == State.PREPARING:
        return Step.PREPARE
    if status == State.STARTING:
        return Step.START
    if status == State.RUNNING:
        return Step.WAIT
    if status >= desired:
        return None
    if status <= State.ASSIGNED:
        return Step.ACCEPT
    return Step.BEGIN_PREPARING if status == State.ACCEPTED else Step.BEGIN_STARTING


def failed(status: int) -> int:
    """Return the state of a task that failed for good where it was."""
    return State.REJECTED if status < State.STARTING else State.FAILED
