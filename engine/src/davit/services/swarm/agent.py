"""The agent: one session after the other with whichever manager answers.

A session is one registration over one connection. Whatever part of it ends, all of it is taken
down and made anew: this is the whole recovery. Tasks go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit import enrolment, pki
from davit.drivers.swarmkit.connection import MANAGER, connect
from davit.drivers.swarmkit.dispatcher import Dispatcher
from davit.errors import DavitError, Forbidden, InvalidParameter, NotFound, Unavailable
from davit.services.swarm.logs import LogPublisher
from davit.services.swarm.member import Member
from davit.services.swarm.worker import Worker

logger = logging.getLogger(__name__)

Describe = Callable[[Member], Coroutine[Any, Any, pb.NodeDescription]]

_FIRST_MESSAGE_SECONDS = 5.0
_DESCRIPTION_SECONDS = 20.0
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_BACKOFF_BASE = 0.1
_BACKOFF_MOST = 8.0


class Reopen(Exception):
    """The session is to be made anew, with what has changed; no failure."""


class Removed(Exception):
    """The swarm no longer knows this node."""


class Agent:
    """describe: returns what the manager is told of this node.

    ready: there is a session. registered: there has been one. error: why there is none.
    """

    def __init__(self, member: Member, worker: Worker, describe: Describe) -> None:
        self.member = member
        self._worker = worker
        self._describe = describe
        self.ready = asyncio.Event()
        self.registered = False
        self.error = ""

    async def run(self) -> None:
        """Keep a session up until cancelled. Raises Removed."""
        pause = 0.0
        while True:
            manager = self.member.pick()
            try:
                await self._connect(manager.addr)
            except Reopen as reason:
                logger.info("swarm: new session: %s", reason)
                pause = 0.0
            except (DavitError, asyncio.TimeoutError) as error:
                if _says_removed(error):
                    raise Removed(str(error)) from error
                self._forget_session(error)
                self.member.avoid(manager)
                self._tell(str(error) or f"swarm manager {manager.addr} does not answer")
            if self.ready.is_set():
                pause = 0.0
            self.ready.clear()
            pause = min(_BACKOFF_BASE + 2 * pause, _BACKOFF_MOST)
            await asyncio.sleep(random.uniform(0, pause))

    def _tell(self, error: str) -> None:
        """Keep what is wrong; it is logged once, however often it comes again.

        The time that it may tell goes on.
        """
        if _TIME.sub("", error) != _TIME.sub("", self.error):
            logger.warning("%s", error if error.startswith("swarm") else f"swarm: {error}")
        self.error = error

    async def _connect(self, address: str) -> None:
        credentials = self.member.credentials
        pki.check(credentials)
        async with connect(address, MANAGER, credentials.roots, credentials) as channel:
            dispatcher = Dispatcher(channel, address)
            description = await self._describe(self.member)
            async with dispatcher.session(description, self.member.session_id) as messages:
                first = await asyncio.wait_for(anext(messages, None), _FIRST_MESSAGE_SECONDS)
                if first is None:
                    raise _ended(address, "session")
                await self._hear(first)
                logs = LogPublisher(dispatcher, self._worker, again=self.registered)
                self.registered = True
                self.ready.set()
                self.error = ""
                logger.info("swarm: session with manager %s", address)
                self._worker.report_all()
                await _first_end(
                    self._listen(messages, address),
                    self._beat(dispatcher),
                    self._take_assignments(dispatcher),
                    self._report(dispatcher),
                    logs.run(),
                    self._watch(description),
                    self._renew(dispatcher),
                )

    async def _listen(self, messages: AsyncIterator[pb.SessionMessage], address: str) -> None:
        async for message in messages:
            await self._hear(message)
        raise _ended(address, "session")

    async def _hear(self, message: pb.SessionMessage) -> None:
        await self.member.hear(message)
        if await self.member.trust(message.root_ca):
            raise Reopen("the root certificates have changed")

    async def _beat(self, dispatcher: Dispatcher) -> None:
        while True:
            period = await dispatcher.heartbeat(self.member.session_id)
            await asyncio.sleep(period)

    async def _take_assignments(self, dispatcher: Dispatcher) -> None:
        async with dispatcher.assignments(self.member.session_id) as messages:
            position = ""
            async for message in messages:
                incremental = message.type == pb.AssignmentsMessage.INCREMENTAL
                if incremental and message.applies_to != position:
                    raise Reopen("an assignment was missed")
                position = message.results_in
                await self._worker.apply(message)
        raise _ended(dispatcher.address, "assignments")

    async def _report(self, dispatcher: Dispatcher) -> None:
        """A report that fails ends the session, and the next one reports everything."""
        while True:
            await self._worker.reportable.wait()
            await dispatcher.report(self.member.session_id, self._worker.take_unreported())

    async def _watch(self, told: pb.NodeDescription) -> None:
        """Register anew when this node is no longer what the manager was told."""
        while True:
            await asyncio.sleep(_DESCRIPTION_SECONDS)
            if await self._describe(self.member) != told:
                raise Reopen("this node's description has changed")

    async def _renew(self, dispatcher: Dispatcher) -> None:
        """Renew the certificate over this connection when its time has come, or at the call."""
        wanted, due = self.member.renewal_wanted, self.member.renewal_in()
        try:
            await asyncio.wait_for(wanted.wait(), due)
        except asyncio.TimeoutError:
            logger.info("swarm: the certificate is due for renewal")
        # It would be a manager's.
        await self.member.to_be_worker.wait()
        before = self.member.credentials
        after = await enrolment.renew(dispatcher.channel, dispatcher.address, before)
        await self.member.renewed(after)
        raise Reopen("the certificate is new")

    def _forget_session(self, error: BaseException) -> None:
        """A session that the manager does not know is not asked for again."""
        if isinstance(error, (InvalidParameter, NotFound)):
            self.member.session_id = ""


def _ended(address: str, what: str) -> Unavailable:
    return Unavailable(f"swarm manager {address} has ended the {what}")


def _says_removed(error: BaseException) -> bool:
    """Tell whether a manager says that this node is gone; a leader's words, and a follower's."""
    text = str(error)
    if isinstance(error, Forbidden):
        return "was removed from swarm" in text
    return "node not found" in text or (
        isinstance(error, NotFound) and "not registered" not in text
    )


async def _first_end(*works: Coroutine[Any, Any, None]) -> None:
    """Run all; when one ends, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
