"""A session: what a client of BuildKit lends for as long as its connection is there.

The client serves gRPC on a connection that it has opened itself; the engine calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from grpclib.client import Stream, StreamStreamMethod, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError

from davit._pb.buildkit_pb2 import (
    Bytes,
    CheckAgentRequest,
    CredentialsRequest,
    CredentialsResponse,
    Empty,
    GetSecretRequest,
    GetSecretResponse,
)
from davit.drivers.buildkit import filesync
from davit.drivers.buildkit.channel import LentChannel, asking, is_absent
from davit.model.registry import AuthConfig

_CHUNK = 32 << 10
# How clients are asked for Docker Hub.
_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"


class ClientSession:
    """One client's. ``protocol`` is what its connection has to be given to."""

    def __init__(self) -> None:
        self._channel = LentChannel()

    @property
    def protocol(self) -> asyncio.Protocol:
        return self._channel.protocol

    async def ready(self) -> None:
        """Return when the client serves."""
        await self._channel.protocol.heard.wait()

    def close(self) -> None:
        self._channel.close()

    async def directory(
        self,
        name: str,
        root: Path,
        *,
        includes: Sequence[str] = (),
        excludes: Sequence[str] = (),
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Copy a directory of the client's (see :func:`filesync.receive`)."""
        await filesync.receive(
            self._channel, name, root, includes=includes, excludes=excludes, progress=progress
        )

    async def secret(self, name: str) -> bytes | None:
        """Return a secret, None when the client has none of this name."""
        method = UnaryUnaryMethod(
            self._channel,
            "/moby.buildkit.secrets.v1.Secrets/GetSecret",
            GetSecretRequest,
            GetSecretResponse,
        )
        with asking(f"secret {name}"):
            try:
                return (await method(GetSecretRequest(id=name))).data
            except GRPCError as error:
                if is_absent(error):
                    return None
                raise

    async def credentials(self, registry: str) -> AuthConfig:
        """Return the client's for a registry, a nobody's when it has none."""
        method = UnaryUnaryMethod(
            self._channel,
            "/moby.filesync.v1.Auth/Credentials",
            CredentialsRequest,
            CredentialsResponse,
        )
        host = _HUB_HOST if registry == _HUB else registry
        with asking(f"credentials for {registry}"):
            try:
                found = await method(CredentialsRequest(host=host))
            except GRPCError as error:
                if is_absent(error):
                    return AuthConfig()
                raise
        if found.secret and not found.username:
            return AuthConfig(identitytoken=found.secret)
        return AuthConfig(username=found.username, password=found.secret)

    async def has_agent(self, name: str) -> bool:
        """Whether the client lends an SSH agent of this name."""
        path = "/moby.sshforward.v1.SSH/CheckAgent"
        method = UnaryUnaryMethod(self._channel, path, CheckAgentRequest, Empty)
        with asking(f"SSH agent {name}"):
            try:
                await method(CheckAgentRequest(id=name))
            except GRPCError:
                # Clients answer with whatever their language has for "no such agent".
                return False
        return True

    @contextlib.asynccontextmanager
    async def agent(
        self, name: str, path: Path, owner: tuple[int, int], mode: int
    ) -> AsyncIterator[None]:
        """Have a socket at ``path`` behind which the client's SSH agent is."""
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await self._forward(name, reader, writer)
            finally:
                connections.discard(task)
                writer.close()

        listening = await asyncio.to_thread(_listen, path, owner, mode)
        server = await asyncio.start_unix_server(connected, sock=listening)
        try:
            yield
        finally:
            server.close()
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _forward(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        path = "/moby.sshforward.v1.SSH/ForwardAgent"
        method = StreamStreamMethod(self._channel, path, Bytes, Bytes)
        # Who uses the socket sees its end; why is of no use to a command.
        with contextlib.suppress(GRPCError, StreamTerminatedError, OSError):
            async with method.open(metadata=[("buildkit.ssh.id", name)]) as stream:
                await stream.send_request()
                asked = asyncio.ensure_future(_pass_on(reader, stream))
                try:
                    while (answer := await stream.recv_message()) is not None:
                        writer.write(answer.data)
                        await writer.drain()
                finally:
                    asked.cancel()
                    await asyncio.wait([asked])


async def _pass_on(reader: asyncio.StreamReader, stream: Stream[Bytes, Bytes]) -> None:
    while data := await reader.read(_CHUNK):
        await stream.send_message(Bytes(data=data))
    await stream.end()


def _listen(path: Path, owner: tuple[int, int], mode: int) -> socket.socket:
    # Others may pass, as a container's root may be one of them, but not look around.
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listening.bind(str(path))
        os.chown(path, *owner)
        path.chmod(mode)
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening
