"""The calls of a session: what a worker asks its manager, and reports to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from grpclib.client import Channel, Stream

from davit._pb import swarmkit_pb2 as pb
from davit._pb.swarmkit_grpc import DispatcherStub, LogBrokerStub
from davit.drivers.swarmkit.connection import failures

_CALL_SECONDS = 5.0
# The manager takes messages of up to 4 MiB.
_MOST_UPDATES = 1024

Status = pb.UpdateTaskStatusRequest.TaskStatusUpdate
_M = TypeVar("_M")


class Dispatcher:
    """One connection's calls. All raise the errors of ``connection.failures``."""

    def __init__(self, channel: Channel, address: str) -> None:
        self.channel = channel
        self.address = address
        self._stub = DispatcherStub(channel)
        self._logs = LogBrokerStub(channel)

    @contextlib.asynccontextmanager
    async def session(
        self, description: pb.NodeDescription, session_id: str
    ) -> AsyncIterator[AsyncIterator[pb.SessionMessage]]:
        """Register this node; each message holds all that there is to know.

        session_id: of the session before, "" when there was none.
        """
        request = pb.SessionRequest(description=description, session_id=session_id)
        with failures(self.address):
            async with self._stub.Session.open() as stream:
                # The first call connects, and grpclib sets no limit to that.
                await asyncio.wait_for(stream.send_request(), _CALL_SECONDS)
                await stream.send_message(request, end=True)
                yield _messages(stream)

    @contextlib.asynccontextmanager
    async def assignments(
        self, session_id: str
    ) -> AsyncIterator[AsyncIterator[pb.AssignmentsMessage]]:
        """What this node is to do: first all of it, then each change."""
        with failures(self.address):
            async with self._stub.Assignments.open() as stream:
                await stream.send_message(pb.AssignmentsRequest(session_id=session_id), end=True)
                yield _messages(stream)

    @contextlib.asynccontextmanager
    async def subscriptions(self) -> AsyncIterator[AsyncIterator[pb.SubscriptionMessage]]:
        """Whose logs somebody wants to see, and no longer wants to."""
        with failures(self.address):
            async with self._logs.ListenSubscriptions.open() as stream:
                await stream.send_message(pb.ListenSubscriptionsRequest(), end=True)
                yield _messages(stream)

    async def heartbeat(self, session_id: str) -> float:
        """Say that this node lives; return after how many seconds to say it again."""
        request = pb.HeartbeatRequest(session_id=session_id)
        with failures(self.address):
            answer = await self._stub.Heartbeat(request, timeout=_CALL_SECONDS)
        return answer.period.ToTimedelta().total_seconds()

    async def report(self, session_id: str, statuses: Sequence[tuple[str, pb.TaskStatus]]) -> None:
        """Report the newest status of tasks by their IDs. Tasks that are gone are ignored."""
        for first in range(0, len(statuses), _MOST_UPDATES):
            updates = [
                Status(task_id=task_id, status=status)
                for task_id, status in statuses[first : first + _MOST_UPDATES]
            ]
            request = pb.UpdateTaskStatusRequest(session_id=session_id, updates=updates)
            with failures(self.address):
                await self._stub.UpdateTaskStatus(request, timeout=_CALL_SECONDS)

    async def publish(
        self, subscription_id: str, messages: AsyncIterator[Sequence[pb.LogMessage]]
    ) -> None:
        """Send the lines of a subscription, some at a time, and that these were all."""
        with failures(self.address):
            async with self._logs.PublishLogs.open() as stream:
                async for some in messages:
                    await stream.send_message(
                        pb.PublishLogsMessage(subscription_id=subscription_id, messages=some)
                    )
                await stream.send_message(
                    pb.PublishLogsMessage(subscription_id=subscription_id, close=True), end=True
                )
                # The manager ends the call well and sends no answer.
                await stream.recv_message()


async def _messages(stream: Stream[Any, _M]) -> AsyncIterator[_M]:
    """Yield what comes; when the manager ends the call, raise what it says about why."""
    async for message in stream:
        yield message
    await stream.recv_trailing_metadata()
