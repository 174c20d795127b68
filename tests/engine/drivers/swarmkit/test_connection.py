"""Connections to a manager of the test's own: whom davit believes, and how it words failures."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from davit._pb import swarmkit_pb2 as pb
from davit._pb.swarmkit_grpc import CABase, CAStub
from davit.drivers.swarmkit import pki
from davit.drivers.swarmkit.connection import JOINING, MANAGER, connect, failures, look
from davit.errors import DavitError, Forbidden, InvalidParameter, NotSupported, Unavailable
from tests.engine.drivers.swarmkit.authority import Authority
from tests.engine.drivers.swarmkit.refuser import refusing

_LARGE = 10 << 20
_HOUR = datetime.timedelta(hours=1)


class FakeManager(CABase):
    """Answers one call: with much data, or with an error."""

    def __init__(self) -> None:
        self.error: GRPCError | None = None

    async def GetRootCACertificate(  # noqa: N802 - the name of the call
        self, stream: Stream[pb.GetRootCACertificateRequest, pb.GetRootCACertificateResponse]
    ) -> None:
        await stream.recv_message()
        if self.error is not None:
            raise self.error
        await stream.send_message(pb.GetRootCACertificateResponse(certificate=bytes(_LARGE)))


@contextlib.asynccontextmanager
async def serving(
    credentials: pki.Credentials, directory: Path
) -> AsyncIterator[tuple[str, FakeManager]]:
    """Serve without answering ALPN, as managers before Moby 28 do."""
    chain, key = directory / "chain", directory / "key"
    chain.write_bytes(credentials.chain)
    key.write_bytes(credentials.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    manager = FakeManager()
    server = Server([manager])
    await server.start("127.0.0.1", 0, ssl=context)
    sockets = server._server.sockets  # type: ignore[union-attr]
    try:
        yield f"127.0.0.1:{sockets[0].getsockname()[1]}", manager
    finally:
        server.close()
        await server.wait_closed()


async def ask(channel: Channel, address: str) -> bytes:
    with failures(address):
        answer = await CAStub(channel).GetRootCACertificate(pb.GetRootCACertificateRequest())
    return answer.certificate


async def test_large_message(tmp_path: Path) -> None:
    root = Authority.new()
    async with (
        serving(root.node("swarm-manager"), tmp_path) as (address, _),
        connect(address, MANAGER, root.pem, root.node(pki.WORKER)) as channel,
    ):
        assert len(await ask(channel, address)) == _LARGE


async def test_while_the_authority_is_replaced(tmp_path: Path) -> None:
    old, new = Authority.new(), Authority.new()
    server = new.node("swarm-manager", between=old.cross_sign(new))
    async with (
        serving(server, tmp_path) as (address, _),
        connect(address, MANAGER, old.pem, old.node(pki.WORKER)) as channel,
    ):
        assert await ask(channel, address)


async def test_stranger(tmp_path: Path) -> None:
    swarm, stranger = Authority.new(), Authority.new()
    async with (
        serving(stranger.node("swarm-manager"), tmp_path) as (address, _),
        connect(address, JOINING, swarm.pem) as channel,
    ):
        with pytest.raises(Forbidden, match="not of this swarm"):
            await ask(channel, address)


async def test_worker_that_poses_as_manager(tmp_path: Path) -> None:
    root = Authority.new()
    async with (
        serving(root.node(pki.WORKER), tmp_path) as (address, _),
        connect(address, MANAGER, root.pem) as channel,
    ):
        with pytest.raises(Forbidden, match="not of this swarm"):
            await ask(channel, address)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("life", "words"),
    [
        ((-2 * _HOUR, -_HOUR), "as expired, or not valid yet, by the manager's clock: set the"),
        ((_HOUR, 2 * _HOUR), "as bad: expired, or not valid yet, by the manager's clock, or"),
        (None, "as one that its swarm's certificate authority has not signed"),
    ],
)
async def test_manager_that_refuses_the_certificate(
    tmp_path: Path,
    version: ssl.TLSVersion,
    life: tuple[datetime.timedelta, datetime.timedelta] | None,
    words: str,
) -> None:
    """life: of the root certificate, as the manager sees it; None: it knows only another."""
    root = Authority.new()
    believed = root.dated(life) if life else Authority.new().pem
    own = root.node("swarm-manager")
    with refusing(own, believed, tmp_path, version=version) as address:
        connecting = connect(address, MANAGER, root.pem, root.node(pki.WORKER))
        with pytest.raises(Unavailable, match=f"{address} .*this node's certificate {words}"):
            await connecting.__aenter__()


async def test_what_is_presented(tmp_path: Path) -> None:
    root, other = Authority.new(), Authority.new()
    node = root.node("swarm-manager", between=other.cross_sign(root))
    async with serving(node, tmp_path) as (address, _):
        seen = await look(address)
    assert len(seen.chain) == 2
    assert seen.local_address == "127.0.0.1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.INVALID_ARGUMENT, InvalidParameter),
        (Status.PERMISSION_DENIED, Forbidden),
        (Status.ABORTED, Unavailable),
        (Status.UNAVAILABLE, Unavailable),
        (Status.UNIMPLEMENTED, NotSupported),
    ],
)
async def test_errors(tmp_path: Path, status: Status, kind: type[DavitError]) -> None:
    root = Authority.new()
    async with (
        serving(root.node("swarm-manager"), tmp_path) as (address, manager),
        connect(address, MANAGER, root.pem) as channel,
    ):
        manager.error = GRPCError(status, "for a reason")
        with pytest.raises(kind, match=f"{address}: for a reason"):
            await ask(channel, address)


async def test_nobody_there() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be spoken to"):
        await look("127.0.0.1:9")


async def test_hanging_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was reset when davit gets to look at it has no address of its own."""
    root, opened = Authority.new(), asyncio.open_connection

    async def reset(*args: Any, **options: Any) -> tuple[asyncio.StreamReader, MagicMock]:
        reader, writer = await opened(*args, **options)
        told = {"ssl_object": writer.get_extra_info("ssl_object")}
        return reader, MagicMock(close=writer.close, get_extra_info=told.get)

    async with serving(root.node("swarm-manager"), tmp_path) as (address, _):
        monkeypatch.setattr(asyncio, "open_connection", reset)
        with pytest.raises(Unavailable, match="it hangs up at once"):
            await look(address)
