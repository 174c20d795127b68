"""TLS in front of the HTTP server.

Docker's clients close the sending side of an attached stream (end of standard input) with TLS's
``close_notify`` and go on reading (RFC 8446, 6.1). asyncio's own TLS takes that as the end of the
connection, and what the container still writes would be lost. So TLS ends here: each connection is
joined by a socket pair to the HTTP server, which knows of no TLS, and on which half a connection
can be closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from davit.errors import InvalidParameter

logger = logging.getLogger(__name__)

_CHUNK = 64 << 10
_HANDSHAKE_SECONDS = 10
_CLOSE_SECONDS = 1


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. ca: who has signed the clients' certificates; None lets any client in."""

    certificate: Path
    key: Path
    ca: Path | None = None

    def load(self) -> ssl.SSLContext:
        """Read the files. Blocking. Raises InvalidParameter with the name of the bad one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for file in (self.certificate, self.key, self.ca):
            try:
                if file is not None:
                    file.read_bytes()
            except OSError as error:
                raise InvalidParameter(f"TLS: cannot read {file}: {error.strerror}") from None
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise InvalidParameter(
                f"TLS: {self.certificate} and {self.key} are not a certificate and its "
                f"unencrypted key in PEM: {error}"
            ) from None
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except ssl.SSLError as error:
                raise InvalidParameter(f"TLS: {self.ca} holds no certificate: {error}") from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


class TlsFront:
    """Accepts connections, ends their TLS, and hands the rest to the HTTP server."""

    def __init__(self, files: TlsFiles, serve: Callable[[], asyncio.BaseProtocol]) -> None:
        """serve: makes the protocol of one HTTP connection."""
        self._files = files
        self._serve = serve
        self._context: ssl.SSLContext | None = None
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read the files, at first or again; connections that are there stay as they are."""
        self._context = await asyncio.to_thread(self._files.load)

    async def listen(self, listener: socket.socket) -> None:
        self._servers.append(await asyncio.start_server(self._accept, sock=listener, limit=_CHUNK))

    def stop(self) -> None:
        """Accept no more."""
        for server in self._servers:
            server.close()

    async def close(self) -> None:
        """Wait until what the HTTP server has written is on its way; it has closed by now."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            assert self._context is not None
            session = _Session(self._context, reader, writer)
            try:
                await asyncio.wait_for(session.handshake(), _HANDSHAKE_SECONDS)
            except (OSError, asyncio.TimeoutError) as error:
                peer = writer.get_extra_info("peername")
                logger.info("no TLS with %s: %s", peer, str(error) or "it sends nothing")
                return
            with contextlib.suppress(OSError):
                await self._join(session)
        finally:
            writer.close()

    async def _join(self, session: _Session) -> None:
        """Carry bytes both ways until the HTTP server closes or the client is gone."""
        inner, outer = socket.socketpair()
        plain_reader, plain_writer = await asyncio.open_unix_connection(sock=outer, limit=_CHUNK)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(self._serve, inner)

        async def request() -> None:
            while data := await session.read():
                plain_writer.write(data)
                await plain_writer.drain()
            plain_writer.write_eof()
            await session.hangup()

        async def answer() -> None:
            while data := await plain_reader.read(_CHUNK):
                await session.write(data)
            await session.end()

        await _first(request(), answer(), close=plain_writer.close)


async def _first(*works: Awaitable[None], close: Callable[[], None]) -> None:
    """Run until one has ended, then cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Session:
    """TLS on a pair of streams, whose two directions end independently."""

    def __init__(
        self,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Raises OSError (ssl.SSLError is one) when the client is none of ours."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ConnectionResetError("the client has gone") from None
            except ssl.SSLError:
                # The alert tells the client why.
                await self._flush()
                raise
        await self._flush()

    async def read(self) -> bytes:
        """Return what the client has sent; empty once it has ended its side."""
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                # What TLS itself has to say is little; only the other direction waits for the
                # client to take it.
                self._send()
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def end(self) -> None:
        """Tell the client that nothing follows."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()

    async def hangup(self) -> None:
        """Return when the client has closed the connection."""
        while await self._reader.read(_CHUNK):
            pass

    async def _fill(self) -> bool:
        data = await self._reader.read(_CHUNK)
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        self._send()
        await self._writer.drain()

    def _send(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(data)
