"""A manager of the test's own, which does what real ones do seldom: whatever the test wants."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cryptography import x509
from grpclib.const import Handler
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream

from davit._pb import swarmkit_pb2 as pb
from davit._pb.swarmkit_grpc import CABase, DispatcherBase, LogBrokerBase, NodeCABase
from davit.drivers.swarmkit import pki
from davit.model.swarm import JoinRequest
from tests.engine.drivers.swarmkit.authority import Authority

# ruff: noqa: N802 - the methods have the names of the calls
_HOUR = datetime.timedelta(hours=1)
Life = tuple[datetime.timedelta, datetime.timedelta]


class FakeSwarm(CABase, NodeCABase, DispatcherBase, LogBrokerBase):
    """Issues certificates, and holds a session for each node that comes.

    life: of the nodes' certificates, from and to, seen from now. role: which they get. node: what a
    session says of it. sessions: how many were begun; hang_up: end each at once, and others when
    something is said. issued: requests for certificates so far. listens: streams for logs so far.
    listening: whether it knows that a node serves logs; as with SwarmKit, any end of such a stream
    makes it forget that, once it has noticed it.
    """

    def __init__(self, life: Life = (-_HOUR, _HOUR)) -> None:
        self.authority = Authority.new()
        self.life = life
        self.role = pki.WORKER
        self.node = pb.Node(id="node1")
        self.sessions = 0
        self.issued = 0
        self.hang_up = False
        self.address = ""
        self.listens = 0
        self.listening = False
        self.noticed = asyncio.Event()
        self._late: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self._csr = b""

    def __mapping__(self) -> dict[str, Handler]:
        """Return the calls of all its services."""
        services = (CABase, NodeCABase, DispatcherBase, LogBrokerBase)
        return {path: call for one in services for path, call in one.__mapping__(self).items()}

    @property
    def wish(self) -> JoinRequest:
        digest, text = int(pki.digest(self.authority.pem), 16), ""
        while digest:
            digest, rest = divmod(digest, 36)
            text = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + text
        token = f"SWMTKN-1-{text.rjust(50, '0')}-{'1' * 25}"
        return JoinRequest(remote_addrs=[self.address], join_token=token)

    async def say(self, **fields: Any) -> None:
        """Change what is said of the node, and say it in all sessions."""
        async with self._changed:
            self.node.MergeFrom(pb.Node(**fields))
            self._changed.notify_all()

    async def GetRootCACertificate(
        self, stream: Stream[pb.GetRootCACertificateRequest, pb.GetRootCACertificateResponse]
    ) -> None:
        await stream.recv_message()
        await stream.send_message(pb.GetRootCACertificateResponse(certificate=self.authority.pem))

    async def IssueNodeCertificate(
        self, stream: Stream[pb.IssueNodeCertificateRequest, pb.IssueNodeCertificateResponse]
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        self.issued += 1
        self._csr = request.csr
        self.node.ClearField("certificate")
        await stream.send_message(pb.IssueNodeCertificateResponse(node_id=self.node.id))

    async def NodeCertificateStatus(
        self, stream: Stream[pb.NodeCertificateStatusRequest, pb.NodeCertificateStatusResponse]
    ) -> None:
        await stream.recv_message()
        public = x509.load_pem_x509_csr(self._csr).public_key()
        chain = self.authority.issue(public, self.role, node_id=self.node.id, life=self.life)
        issued = pb.IssuanceStatus(state=pb.IssuanceStatus.ISSUED)
        answer = pb.NodeCertificateStatusResponse(
            status=issued, certificate=pb.Certificate(csr=self._csr, certificate=chain)
        )
        await stream.send_message(answer)

    async def Session(self, stream: Stream[pb.SessionRequest, pb.SessionMessage]) -> None:
        await stream.recv_message()
        self.sessions += 1
        if self.hang_up:
            await stream.send_initial_metadata()
            return
        while not self.hang_up:
            async with self._changed:
                said = pb.SessionMessage(session_id="session1", node=self.node)
                said.root_ca = self.authority.pem
                await stream.send_message(said)
                await self._changed.wait()

    async def Heartbeat(self, stream: Stream[pb.HeartbeatRequest, pb.HeartbeatResponse]) -> None:
        await stream.recv_message()
        answer = pb.HeartbeatResponse()
        answer.period.FromSeconds(5)
        await stream.send_message(answer)

    async def Assignments(
        self, stream: Stream[pb.AssignmentsRequest, pb.AssignmentsMessage]
    ) -> None:
        await stream.recv_message()
        await stream.send_message(pb.AssignmentsMessage(results_in="1"))
        await asyncio.Event().wait()

    async def UpdateTaskStatus(
        self, stream: Stream[pb.UpdateTaskStatusRequest, pb.UpdateTaskStatusResponse]
    ) -> None:
        await stream.recv_message()
        await stream.send_message(pb.UpdateTaskStatusResponse())

    async def ListenSubscriptions(
        self, stream: Stream[pb.ListenSubscriptionsRequest, pb.SubscriptionMessage]
    ) -> None:
        await stream.recv_message()
        await stream.send_initial_metadata()
        self.listens += 1
        self.listening = True
        try:
            await asyncio.Event().wait()
        finally:
            self._late.append(asyncio.create_task(self._forget()))

    async def _forget(self) -> None:
        await self.noticed.wait()
        self.listening = False

    async def PublishLogs(
        self, stream: Stream[pb.PublishLogsMessage, pb.PublishLogsResponse]
    ) -> None:
        raise NotImplementedError


@contextlib.asynccontextmanager
async def serving(
    swarm: FakeSwarm, directory: Path, own_life: Life = (-_HOUR, _HOUR)
) -> AsyncIterator[None]:
    """Serve it on a port of its own. own_life: of the manager's certificate."""
    own = swarm.authority.node("swarm-manager", node_id="manager1", life=own_life)
    chain, key = directory / "chain", directory / "key"
    chain.write_bytes(own.chain)
    key.write_bytes(own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server, connected = Server([swarm]), list[asyncio.BaseTransport]()
    make = server._protocol_factory

    def connect() -> H2Protocol:
        protocol = make()
        begin = protocol.connection_made

        def remember(transport: asyncio.BaseTransport) -> None:
            connected.append(transport)
            begin(transport)

        # grpclib has no hook for its connections, nor for what makes them.
        protocol.connection_made = remember  # type: ignore[method-assign]
        return protocol

    server._protocol_factory = connect  # type: ignore[method-assign]
    await server.start("127.0.0.1", 0, ssl=context)
    # grpclib tells nowhere which port it was given.
    sockets = server._server.sockets  # type: ignore[union-attr]
    swarm.address = f"127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        swarm.noticed.set()
        server.close()
        # It leaves the connections to the clients, which may be slower than the loop, and from
        # Python 3.12 on it waits for them.
        for transport in connected:
            assert isinstance(transport, asyncio.Transport)
            # In Python 3.11.2 one over TLS that was closed twice has forgotten what to abort.
            with contextlib.suppress(AttributeError):
                transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)
