"""What the parts of the worker need of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Protocol

from davit._pb import swarmkit_pb2 as pb


class Retry(Exception):
    """A step failed in a way that may pass: the task stays where it is and tries again."""


@dataclass(frozen=True)
class Ended:
    """How a task's container ended. error: what the manager shows, "" after exit code 0."""

    exit_code: int
    error: str


class Controller(Protocol):
    """Does to one task's container what the state machine says. Each verb can be called again.

    Raises DavitError when the task cannot be done here, Retry for what may pass.
    """

    async def prepare(self, task: pb.Task) -> None:
        """Pull the image, make volumes, secrets and the container. Cancellable at any await."""
        ...

    async def start(self, task: pb.Task) -> None:
        """Return when the container runs, and is healthy if it has a check."""
        ...

    async def wait(self, task: pb.Task) -> Ended:
        """Return when the container has ended, or was ended for being unhealthy."""
        ...

    async def shutdown(self, task: pb.Task) -> None:
        """Stop the container within its grace period; nothing to do when there is none."""
        ...

    async def remove(self, task: pb.Task) -> None:
        """Remove the container and all that was made for it."""
        ...

    async def sweep(self, keep: Collection[str]) -> None:
        """Remove what there is of all tasks but these, by ID: containers and files."""
        ...

    def describe(self, task: pb.Task, status: pb.TaskStatus) -> None:
        """Put the container's ID, process, exit code and host ports into a status."""
        ...

    def logs(
        self, task: pb.Task, options: pb.LogSubscriptionOptions
    ) -> AsyncIterator[pb.LogMessage]:
        """Yield what the container has printed; with ``follow`` until it is removed."""
        ...


class Dependencies(Protocol):
    """Secrets and configs, as the manager sent them; in memory only."""

    def secret(self, secret_id: str) -> pb.Secret | None: ...

    def config(self, config_id: str) -> pb.Config | None: ...
