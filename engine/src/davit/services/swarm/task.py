"""One task of the swarm on this node, moved from state to state until it has ended or must go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from davit._pb import swarmkit_pb2 as pb
from davit.errors import DavitError
from davit.services.swarm.needs import Controller, Retry
from davit.services.swarm.states import State, Step, failed, next_step

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_REMOVAL_RETRY_SECONDS = 10.0

Changed = Callable[["TaskRun"], Awaitable[None]]


class TaskRun:
    """A task and the loop that moves it.

    status: as the manager shall see it. changed: called after each change of it, before the next
    step; it makes the status durable.
    """

    def __init__(
        self, task: pb.Task, status: pb.TaskStatus, controller: Controller, changed: Changed
    ) -> None:
        self.task = task
        self.status = status
        self._controller = controller
        self._changed = changed
        self._updated = asyncio.Event()
        self._stopping = asyncio.Event()
        self._removed = False
        self._loop: asyncio.Task[None] | None = None
        if task.desired_state >= State.SHUTDOWN:
            self._stopping.set()

    def start(self) -> None:
        """Begin to move the task. Idempotent."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name=f"swarm task {self.task.id}")

    def update(self, task: pb.Task) -> None:
        """Take what the manager says of it now. A desired state never goes back."""
        desired = max(task.desired_state, self.task.desired_state)
        self.task = task
        self.task.desired_state = desired
        if desired >= State.SHUTDOWN:
            self._stopping.set()
        self._updated.set()

    async def remove(self) -> None:
        """Stop the task if it runs, and remove its container; return when that is done."""
        self._removed = True
        self._stopping.set()
        await self.close()
        while True:
            try:
                if self.status.state < State.COMPLETE:
                    await self._controller.shutdown(self.task)
                await self._controller.remove(self.task)
            except (DavitError, Retry, OSError) as error:
                logger.warning("swarm task %s cannot be removed yet: %s", self.task.id, error)
                await asyncio.sleep(_REMOVAL_RETRY_SECONDS)
            else:
                return

    async def close(self) -> None:
        """End the loop; the container stays as it is."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
            self._loop = None

    async def _run(self) -> None:
        while True:
            self._updated.clear()
            step = next_step(self.status.state, self.task.desired_state)
            if step is None:
                await self._updated.wait()
                continue
            try:
                await self._take(step)
            except Retry as error:
                await self._move(self.status.state, self.status.message, str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except DavitError as error:
                await self._move(failed(self.status.state), step.value, error.message)
            except Exception as error:
                logger.exception("swarm task %s: %s", self.task.id, step.value)
                await self._move(failed(self.status.state), step.value, f"davit: {error}")

    async def _take(self, step: Step) -> None:
        if step is Step.ACCEPT:
            await self._move(State.ACCEPTED, "accepted")
        elif step is Step.BEGIN_PREPARING:
            await self._move(State.PREPARING, "preparing")
        elif step is Step.PREPARE:
            if await self._unless_stopped(self._controller.prepare(self.task)):
                await self._move(State.READY, "prepared")
        elif step is Step.BEGIN_STARTING:
            await self._move(State.STARTING, "starting")
        elif step is Step.START:
            if await self._unless_stopped(self._controller.start(self.task)):
                await self._move(State.RUNNING, "started")
        elif step is Step.WAIT:
            await self._unless_stopped(self._wait())
        else:
            await self._controller.shutdown(self.task)
            await self._move(State.SHUTDOWN, "shutdown")

    async def _wait(self) -> None:
        ended = await self._controller.wait(self.task)
        state = State.FAILED if ended.error else State.COMPLETE
        await self._move(state, "finished", ended.error)

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Do ``work``; cut it off when the task is to stop. Tell whether it was done."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                doing.cancel()
                await asyncio.wait([doing])
            if doing.cancelled():
                return False
            doing.result()
            return True
        finally:
            stopping.cancel()
            doing.cancel()

    async def _move(self, state: int, message: str, error: str = "") -> None:
        status = pb.TaskStatus(state=pb.TaskState.Name(state), message=message, err=error)
        status.timestamp.GetCurrentTime()
        if state >= State.STARTING:
            self._controller.describe(self.task, status)
        self.status = status
        await self._changed(self)
