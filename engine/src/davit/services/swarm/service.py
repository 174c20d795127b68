"""Membership of a swarm: joining, leaving, and what there is to tell of it.

What speaks the protocol is imported when this node is in a swarm: it would cost every other one
20 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from davit.errors import DavitError, InvalidParameter, SystemFailure, Unavailable
from davit.model.swarm import (
    JoinRequest,
    Manager,
    NodeState,
    SwarmInfo,
    parse_address,
    parse_token,
)
from davit.model.system import Host
from davit.store.swarm import TaskStore

if TYPE_CHECKING:
    from davit._pb import swarmkit_pb2 as pb
    from davit.drivers.swarmkit.pki import Credentials
    from davit.services.swarm.agent import Agent
    from davit.services.swarm.member import Member
    from davit.services.swarm.needs import Controller, Dependencies
    from davit.services.swarm.worker import Worker

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 20.0
_AVAILABILITIES = ("active", "pause", "drain")


class SwarmService:
    """This node's membership.

    directory: of the identity. read_host: the machine and the engine's labels, now; blocking.
    make_controller: what runs containers for tasks.
    """

    def __init__(
        self,
        directory: Path,
        store: TaskStore,
        read_host: Callable[[], tuple[Host, Sequence[str]]],
        make_controller: Callable[[Dependencies], Controller],
    ) -> None:
        self._directory = directory
        self._store = store
        self._read_host = read_host
        self._make_controller = make_controller
        self._changing = asyncio.Lock()
        self._worker: Worker | None = None
        self._member: Member | None = None
        self._agent: Agent | None = None
        self._running: asyncio.Task[None] | None = None
        self._failure = ""

    async def open(self) -> None:
        """Go on as the node that this one is, if it is one. A bad identity is told by ``info``."""
        if not (self._directory / "state.json").exists():
            return
        from davit.drivers.swarmkit.identity import IdentityStore
        from davit.services.swarm.member import Member

        try:
            member = await asyncio.to_thread(Member.load, IdentityStore(self._directory))
        except SystemFailure as error:
            self._failure = error.message
            logger.error("%s", error.message)
            await self._open_worker()
            return
        await self._begin(member)

    async def close(self) -> None:
        """End the session; tasks' containers go on."""
        await self._end()
        if self._worker is not None:
            await self._worker.close()

    async def join(self, wish: JoinRequest) -> None:
        """Become a worker of a swarm; return when a manager knows this node.

        Raises InvalidParameter, Forbidden, Unavailable: nothing is left then of what was begun,
        except after the time-out that says so.
        """
        token = parse_token(wish.join_token)
        addresses = [parse_address(text) for text in wish.remote_addrs]
        if not addresses:
            raise InvalidParameter("at least 1 RemoteAddr is required to join: name a manager")
        availability = wish.availability.lower() or "active"
        if availability not in _AVAILABILITIES:
            raise InvalidParameter(f"invalid Availability {wish.availability!r}: {_AVAILABILITIES}")
        async with self._changing:
            if self._is_member:
                raise Unavailable(
                    'This node is already part of a swarm. Use "docker swarm leave" to leave this '
                    "swarm and join another one."
                )
            from davit.drivers.swarmkit.enrolment import enrol

            address, local = await _reachable(addresses)
            credentials = await enrol(address, token, availability)
            await self._begin(await self._remember(wish, address, local, credentials))
        await self._await_session()

    async def leave(self) -> None:
        """Stop and remove all tasks, and forget the identity. Raises Unavailable when in none."""
        async with self._changing:
            if not self._is_member:
                raise Unavailable("This node is not part of a swarm")
            await self._end()
            if self._worker is not None:
                await self._worker.clear()
                await self._worker.close()
                self._worker = None
            from davit.drivers.swarmkit.identity import IdentityStore

            await asyncio.to_thread(IdentityStore(self._directory).forget)
            self._member, self._failure = None, ""

    def info(self) -> SwarmInfo:
        if not self._is_member:
            return SwarmInfo()
        if self._member is None:
            return SwarmInfo(state=NodeState.ERROR, error=self._failure)
        registered = self._agent is not None and self._agent.registered
        state = NodeState.ACTIVE if registered else NodeState.PENDING
        return SwarmInfo(
            state=NodeState.ERROR if self._failure else state,
            node_id=self._member.identity.node_id,
            node_addr=self._member.membership.advertise_addr,
            error=self._failure
            or (self._agent.error if self._agent else "")
            or self._member.warning,
            managers=self._member.membership.managers,
        )

    @property
    def _is_member(self) -> bool:
        return self._member is not None or bool(self._failure)

    async def _remember(
        self, wish: JoinRequest, address: str, local: str, credentials: Credentials
    ) -> Member:
        from davit.drivers.swarmkit.identity import IdentityStore, Membership
        from davit.services.swarm.member import Member

        membership = Membership(
            managers=[Manager("", address)],
            advertise_addr=_host(wish.advertise_addr) or local,
        )
        store = IdentityStore(self._directory)

        def save() -> None:
            store.save(credentials)
            store.save_membership(membership)

        await asyncio.to_thread(save)
        return Member(store, credentials, membership)

    async def _begin(self, member: Member) -> None:
        from davit.services.swarm.agent import Agent

        self._member, self._failure = member, ""
        worker = await self._open_worker()
        self._agent = Agent(member, worker, self._describe)
        self._running = asyncio.create_task(self._run(self._agent), name="swarm agent")

    async def _open_worker(self) -> Worker:
        from davit.services.swarm.worker import Worker

        self._worker = Worker(self._store, self._make_controller)
        await self._worker.open()
        return self._worker

    async def _run(self, agent: Agent) -> None:
        from davit.services.swarm.agent import Removed

        try:
            await agent.run()
        except Removed as error:
            self._failure = (
                f"this node was removed from its swarm ({error}): run `docker swarm leave --force` "
                "here, and join again"
            )
        except Exception as error:
            logger.exception("the swarm agent has ended")
            self._failure = f"the swarm agent has ended: {error}: restart davitd"
            return
        logger.error("swarm: %s", self._failure)
        # The swarm runs their successors elsewhere.
        if self._worker is not None:
            await self._worker.clear()

    async def _describe(self, member: Member) -> pb.NodeDescription:
        from davit.services.swarm.description import describe

        host, labels = await asyncio.to_thread(self._read_host)
        return describe(host, labels, member.credentials)

    async def _await_session(self) -> None:
        agent = self._agent
        if agent is None:
            return
        try:
            await asyncio.wait_for(agent.ready.wait(), _JOIN_SECONDS)
        except asyncio.TimeoutError:
            raise Unavailable(
                "Timeout was reached before node joined. The attempt to join the swarm will "
                'continue in the background. Use the "docker info" command to see the current '
                f"swarm status of your node. {agent.error}"
            ) from None

    async def _end(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError, DavitError):
                await self._running
        self._running = self._agent = None


async def _reachable(addresses: list[str]) -> tuple[str, str]:
    """Return the first manager that can be connected to, and this machine's address to it."""
    from davit.drivers.swarmkit.connection import look

    failures = []
    for address in addresses:
        try:
            return address, (await look(address)).local_address
        except Unavailable as error:
            failures.append(error.message)
    raise Unavailable("; ".join(failures))


def _host(address: str) -> str:
    """Return the host of an address that may have a port."""
    return parse_address(address).rpartition(":")[0].strip("[]") if address else ""
