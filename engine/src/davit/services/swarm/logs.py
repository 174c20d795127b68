"""Logs of tasks, for whoever asks a manager for them (``docker service logs``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit.dispatcher import Dispatcher
from davit.errors import DavitError
from davit.services.swarm.worker import Worker, named

logger = logging.getLogger(__name__)

_MOST_LINES = 256
_MOST_BYTES = 64 << 10
# So that lines do not crowd the heartbeats out of the connection.
_BYTES_PER_SECOND = 10 << 20
_NEW_TASKS_SECONDS = 1.0
# For how long at least to listen each time, after a session that replaced another one. How late a
# manager notices that the old connection has ended depends on what broke it.
_LISTEN_SECONDS = (5.0, 15.0, 60.0, 240.0)
_IDLE_SECONDS = 1.0
# In one connection the manager may serve a new stream before it ends the one before.
_BETWEEN_SECONDS = 0.5

Queue = asyncio.Queue["pb.LogMessage | None"]


class LogPublisher:
    """Answers the subscriptions of one session.

    Each must be answered and closed by every node: the client at the manager waits for it.
    """

    def __init__(self, dispatcher: Dispatcher, worker: Worker, *, again: bool = False) -> None:
        """again: whether this session has replaced another one.

        A manager keeps a set of nodes that listen, and any end of a stream takes the node out of
        it, also that of the session before: "node is not available" is then said for good. So it is
        told again that this node listens. Source: SwarmKit, ``manager/logbroker/broker.go``.
        """
        self._dispatcher = dispatcher
        self._worker = worker
        self._again = again
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until cancelled, or until the manager ends it."""
        for seconds in _LISTEN_SECONDS if self._again else ():
            if await self._listen_for(seconds):
                return
            await asyncio.sleep(_BETWEEN_SECONDS)
        await self._listen()

    async def _listen_for(self, seconds: float) -> bool:
        """Serve so long, and while somebody reads. Return whether the manager has ended it."""
        listening = asyncio.ensure_future(self._listen())
        try:
            done, _ = await asyncio.wait([listening], timeout=seconds)
            while self._running and not done:
                done, _ = await asyncio.wait([listening], timeout=_IDLE_SECONDS)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        if done:
            listening.result()
        return bool(done)

    async def _listen(self) -> None:
        try:
            async with self._dispatcher.subscriptions() as messages:
                async for message in messages:
                    if message.close:
                        self._end(message.id)
                    elif message.id not in self._running:
                        publishing = asyncio.create_task(self._publish(message))
                        self._running[message.id] = publishing
        finally:
            for subscription in list(self._running):
                self._end(subscription)

    def _end(self, subscription: str) -> None:
        publishing = self._running.pop(subscription, None)
        if publishing is not None:
            publishing.cancel()

    async def _publish(self, message: pb.SubscriptionMessage) -> None:
        try:
            async with aclosing(self._lines(message)) as lines:
                await self._dispatcher.publish(message.id, lines)
        except DavitError as error:
            logger.info("swarm: logs for subscription %s: %s", message.id, error)
        except Exception:
            logger.exception("swarm: logs for subscription %s", message.id)

    async def _lines(
        self, message: pb.SubscriptionMessage
    ) -> AsyncGenerator[Sequence[pb.LogMessage], None]:
        """Yield the lines of all tasks that are meant, as they come, some at a time."""
        queue: Queue = asyncio.Queue(_MOST_LINES)
        reading = asyncio.create_task(self._read(message, queue))
        try:
            ended = False
            while not ended:
                lines, ended = await _some(queue)
                if lines:
                    yield lines
                    await asyncio.sleep(sum(len(line.data) for line in lines) / _BYTES_PER_SECOND)
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self, message: pb.SubscriptionMessage, queue: Queue) -> None:
        """Put the lines of the tasks, and None at the end. Following, tasks to come count, too."""
        readers: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for task in named(self._worker.tasks(), message.selector):
                    if task.id not in readers:
                        reader = self._read_task(task, message.options, queue)
                        readers[task.id] = asyncio.create_task(reader)
                if not message.options.follow:
                    break
                await asyncio.sleep(_NEW_TASKS_SECONDS)
            if readers:
                await asyncio.wait(readers.values())
            await queue.put(None)
        finally:
            for running in readers.values():
                running.cancel()

    async def _read_task(
        self, task: pb.Task, options: pb.LogSubscriptionOptions, queue: Queue
    ) -> None:
        try:
            async for line in self._worker.controller.logs(task, options):
                await queue.put(line)
        except DavitError as error:
            logger.info("swarm: logs of task %s: %s", task.id, error)


async def _some(queue: Queue) -> tuple[list[pb.LogMessage], bool]:
    """Return the lines that are there, at least one, and whether these were the last."""
    lines: list[pb.LogMessage] = []
    size = 0
    line = await queue.get()
    while line is not None:
        lines.append(line)
        size += len(line.data)
        if size >= _MOST_BYTES or queue.empty():
            return lines, False
        line = queue.get_nowait()
    return lines, True
