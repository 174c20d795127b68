"""Taking a request's connection over, for ``attach`` and ``exec``.

After the head of the answer the connection carries raw bytes both ways. The client may close its
sending side (end of standard input) and go on reading. It has to wait for that head before it
sends input, as Docker's clients do: aiohttp drops what comes with the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import re
import select
import sys
import termios
from collections.abc import AsyncIterator
from typing import Any, Protocol

from aiohttp import web

from davit.api import multiplex
from davit.api.routing import Call
from davit.errors import InvalidParameter

_CHUNK = 64 << 10
# Looks, a millisecond apart, at whether the client has read the head.
_PATIENCE = 50
DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"
_CONTROL = re.compile(r"ctrl-([a-z@\[\\\]^_])")


class Console(Protocol):
    """The standard streams of a container or exec; ``read`` gives (stream, bytes) or None."""

    async def read(self) -> tuple[int, bytes] | None: ...

    async def write(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def close(self) -> None: ...


class Peer(Protocol):
    """A client, however it is connected."""

    async def read(self) -> bytes:
        """Return input, empty at its end."""
        ...

    async def write(self, data: bytes) -> None:
        """Return when the client can take more."""
        ...

    async def gone(self) -> None:
        """Return when the client neither sends nor reads any more."""
        ...


class Hijacked(web.StreamResponse):
    """Stands for an answer that has been sent past aiohttp."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def require_client(call: Call) -> asyncio.Transport:
    """Return the connection. Raises ConnectionResetError when the client has gone."""
    transport = call.request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    return transport


@contextlib.asynccontextmanager
async def take_over(
    call: Call, content_type: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Answer 101 (``Upgrade: tcp``) or 200, then hand the connection over as a pair of streams.

    The connection is closed at the end of the block. The request's body must have been read.
    """
    request = call.request
    http: Any = request.protocol
    transport = require_client(call)
    reader = asyncio.StreamReader(limit=_CHUNK)
    protocol = _StreamProtocol(reader, http)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    call.begun = True
    writer.write(_head(request, content_type))
    try:
        yield reader, writer
    finally:
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()


async def hand_over(call: Call, content_type: str, protocol: asyncio.Protocol) -> None:
    """Answer 101, let ``protocol`` have the connection, and return when the client has gone.

    The connection is closed at the end, also when the caller is cancelled.
    """
    transport = require_client(call)
    handed = _HandedProtocol(protocol, call.request.protocol)
    call.begun = True
    transport.set_protocol(handed)
    transport.write(_head(call.request, content_type))
    handed.connection_made(transport)
    transport.resume_reading()
    try:
        await handed.lost.wait()
    finally:
        transport.close()


class HijackedPeer:
    """A client on a connection that was taken over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        await _gone(self._writer)

    async def head_taken(self) -> None:
        """Return when the client has read the head of the answer.

        Clients that read the head through a buffer (docker-py) lose what comes in one piece with
        it. Over TCP the kernel only knows what has arrived; and nobody is waited for very long.
        """
        await self._writer.drain()
        descriptor = self._writer.get_extra_info("socket").fileno()
        for _ in range(_PATIENCE):
            if descriptor < 0 or not _unread(descriptor):
                return
            await asyncio.sleep(0.001)


async def relay(
    peer: Peer,
    console: Console,
    *,
    raw: bool,
    tty: bool,
    stdin: bool,
    close_stdin: bool,
    streams: frozenset[int],
    detach_keys: str,
) -> bool:
    """Carry bytes both ways until the console ends, the client goes or detaches.

    The process waits while the client does not read, as with Docker: nothing is dropped, and little
    is kept in memory. raw: without frames that tell the streams apart. tty: keys detach.
    stdin: pass input on. close_stdin: the end of input is passed on; otherwise it ends the session.
    streams: which of stdout and stderr are wanted. Returns whether the client detached by its keys.
    """
    detached = False

    async def output() -> None:
        while (chunk := await console.read()) is not None:
            stream, data = chunk
            if stream in streams:
                await peer.write(data if raw else multiplex.frame(stream, data))

    async def feed() -> None:
        nonlocal detached
        keys = DetachKeys(detach_keys if tty else "")
        while data := await peer.read():
            if not stdin:
                continue
            passed, detached = keys.feed(data)
            if passed:
                await console.write(passed)
            if detached:
                return
        if not stdin or close_stdin:
            if stdin:
                await console.close_stdin()
            await asyncio.get_running_loop().create_future()

    tasks = [asyncio.ensure_future(work) for work in (output(), feed(), peer.gone())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with contextlib.suppress(ConnectionError):
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return detached


class DetachKeys:
    """Finds the key sequence that detaches, across chunks."""

    def __init__(self, keys: str) -> None:
        """keys: ``ctrl-p,ctrl-q``, ``a,b``; empty for none. Raises InvalidParameter."""
        self._sequence = parse_keys(keys)
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return the bytes to pass on, and whether the sequence is complete."""
        if not self._sequence:
            return data, False
        data = self._held + data
        at = data.find(self._sequence)
        if at >= 0:
            return data[:at], True
        held = next(
            n
            for n in range(min(len(self._sequence) - 1, len(data)), -1, -1)
            if data.endswith(self._sequence[:n])
        )
        self._held = data[len(data) - held :]
        return data[: len(data) - held], False


def parse_keys(keys: str) -> bytes:
    """Return the bytes of a detach sequence. Raises InvalidParameter."""
    sequence = bytearray()
    for key in keys.split(",") if keys else ():
        if match := _CONTROL.fullmatch(key):
            sequence.append(ord(match[1].upper()) & 0x1F)
        elif len(key) == 1 and key.isascii():
            sequence += key.encode()
        else:
            raise InvalidParameter(
                f"invalid detachKeys {keys!r}: single characters or ctrl-a … ctrl-z, ctrl-@, "
                "ctrl-[, ctrl-\\, ctrl-], ctrl-^, ctrl-_ are needed, separated by commas"
            )
    return bytes(sequence)


def detach_keys(call: Call) -> str:
    """Return the request's detach sequence. Raises InvalidParameter when it is none."""
    keys = call.text("detachKeys") or DEFAULT_DETACH_KEYS
    parse_keys(keys)
    return keys


class _StreamProtocol(asyncio.StreamReaderProtocol):
    """Tells aiohttp, too, when the connection is lost: it counts its connections."""

    def __init__(self, reader: asyncio.StreamReader, http: Any) -> None:
        super().__init__(reader)
        self._http = http

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._http.connection_lost(exc)


class _HandedProtocol(asyncio.Protocol):
    """Does what another does, and tells aiohttp, too, when the connection is lost."""

    def __init__(self, inner: asyncio.Protocol, http: Any) -> None:
        self._inner = inner
        self._http = http
        self.lost = asyncio.Event()
        # The other's own methods: nothing lies between for each piece. mypy wants a "def" of them.
        self.connection_made = inner.connection_made  # type: ignore[method-assign]
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self.lost.set()
        self._http.connection_lost(exc)


def _head(request: web.BaseRequest, content_type: str) -> bytes:
    if "upgrade" in request.headers.get("Connection", "").lower():
        status = "101 UPGRADED"
        upgrade = f"Connection: Upgrade\r\nUpgrade: {request.headers.get('Upgrade', 'tcp')}\r\n"
    else:
        status, upgrade = "200 OK", ""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{upgrade}\r\n".encode()


def _unread(descriptor: int) -> int:
    """Return how many bytes the other side has not read; over TCP, not received (unix(7))."""
    try:
        packed = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(packed, sys.byteorder)


async def _gone(writer: asyncio.StreamWriter) -> None:
    """Return when the client has closed both directions.

    After the end of its input asyncio no longer watches the connection, and a silent container
    would never let us notice by writing. An epoll set that asks for no event still reports
    EPOLLHUP.
    """
    loop = asyncio.get_running_loop()
    hung_up = asyncio.Event()
    with select.epoll() as poll:
        poll.register(writer.get_extra_info("socket").fileno(), 0)
        loop.add_reader(poll.fileno(), hung_up.set)
        try:
            await hung_up.wait()
        finally:
            loop.remove_reader(poll.fileno())
