"""A small DNS server and forwarder (RFC 1035; over TCP RFC 7766).

Who asks is known by the socket the question arrives on: each container has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dnslib

from davit.sys import netns

logger = logging.getLogger(__name__)

TIMEOUT = 4.0
"""Seconds to wait for one upstream server, and for the rest of a question over TCP."""
MAX_FORWARDED = 64
"""Questions of one container that may wait for upstream servers at the same time."""
TTL = 10
"""Seconds that an answer may be kept: addresses change hands when containers restart."""


@dataclass(frozen=True)
class Answer:
    """What is known about a name: addresses (for A) and names (for PTR)."""

    addresses: Sequence[str] = ()
    names: Sequence[str] = ()


Lookup = Callable[[str], "Answer | None"]
"""Name in lower case without the last dot → what is known, None when another is to be asked."""


@dataclass(frozen=True)
class Upstream:
    """Servers to ask in turn. namespace: where to ask from, davitd's own by default."""

    servers: Sequence[str] = ()
    namespace: Path | None = None


@dataclass
class Server:
    """Answers on a UDP and a TCP socket until closed. The sockets are its own."""

    udp: socket.socket
    tcp: socket.socket
    lookup: Lookup
    upstream: Callable[[], Upstream]
    """Called in a thread: it may read files."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _transport: asyncio.DatagramTransport | None = None
    _listener: asyncio.AbstractServer | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """Of UDP and TCP."""
        return self.udp.getsockname()[1], self.tcp.getsockname()[1]

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), sock=self.udp
        )
        self._listener = await asyncio.start_server(self._serve_stream, sock=self.tcp)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._transport is not None:
            self._transport.close()
        if self._listener is not None:
            self._listener.close()

    async def respond(self, question: bytes, *, stream: bool) -> bytes | None:
        """Return the answer, None for what is no question."""
        try:
            record = dnslib.DNSRecord.parse(question)
        except (dnslib.DNSError, ValueError, IndexError, struct.error):
            return None
        if record.header.qr or len(record.questions) != 1:
            return None
        known = self.lookup(str(record.q.qname).rstrip(".").lower())
        if known is not None:
            return _render(record, known, _room(record, stream=stream))
        upstream = await asyncio.to_thread(self.upstream)
        answer = await forward(question, upstream, stream=stream)
        return answer if answer is not None else _refusal(record)

    def spawn(self, question: bytes, peer: tuple[str, int]) -> None:
        """Answer a datagram."""
        if len(self._tasks) >= MAX_FORWARDED:
            return  # the client asks again
        task = asyncio.create_task(self._serve_datagram(question, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_datagram(self, question: bytes, peer: tuple[str, int]) -> None:
        answer = await self.respond(question, stream=False)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, peer)

    async def _serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            while True:
                length = await asyncio.wait_for(reader.readexactly(2), TIMEOUT)
                question = await asyncio.wait_for(
                    reader.readexactly(int.from_bytes(length, "big")), TIMEOUT
                )
                answer = await self.respond(question, stream=True)
                if answer is None:
                    break
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.spawn(data, addr)


def open_sockets(namespace: int | Path, address: str) -> tuple[socket.socket, socket.socket]:
    """Bind a UDP and a TCP socket to free ports of ``address`` in a namespace. Blocking."""
    with netns.inside(namespace):
        udp = _socket(socket.SOCK_DGRAM)
        try:
            tcp = _socket(socket.SOCK_STREAM)
        except BaseException:
            udp.close()
            raise
    try:
        udp.bind((address, 0))
        tcp.bind((address, 0))
        tcp.listen(16)
    except BaseException:
        udp.close()
        tcp.close()
        raise
    return udp, tcp


async def forward(question: bytes, upstream: Upstream, *, stream: bool) -> bytes | None:
    """Ask the servers one after the other; None when none answers in time."""
    for server in upstream.servers:
        try:
            return await asyncio.wait_for(
                _ask(question, server, upstream.namespace, stream=stream), TIMEOUT
            )
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            logger.debug("DNS server %s did not answer: %r", server, error)
    return None


async def _ask(question: bytes, server: str, namespace: Path | None, *, stream: bool) -> bytes:
    kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    if namespace is None:
        link = _socket(kind, family)
    else:
        link = await asyncio.to_thread(_socket_inside, namespace, kind, family)
    loop = asyncio.get_running_loop()
    with link:
        await loop.sock_connect(link, (server, 53))
        if stream:
            await loop.sock_sendall(link, len(question).to_bytes(2, "big") + question)
            length = await _receive_exactly(link, 2)
            return await _receive_exactly(link, int.from_bytes(length, "big"))
        await loop.sock_sendall(link, question)
        while True:
            answer = await loop.sock_recv(link, 65536)
            if answer[:2] == question[:2]:  # the ID: an older answer may still come in
                return answer


async def _receive_exactly(link: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        piece = await loop.sock_recv(link, size - len(data))
        if not piece:
            raise ConnectionResetError("the server closed the connection")
        data += piece
    return data


def _socket_inside(namespace: Path, kind: int, family: int) -> socket.socket:
    with netns.inside(namespace):
        return _socket(kind, family)


def _socket(kind: int, family: int = socket.AF_INET) -> socket.socket:
    return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


def _room(question: dnslib.DNSRecord, *, stream: bool) -> int:
    """Bytes that an answer may have; 512 over UDP unless the client says more (RFC 6891)."""
    if stream:
        return 65535
    sizes: list[int] = [extra.rclass for extra in question.ar if extra.rtype == dnslib.QTYPE.OPT]
    return max([512, *sizes])


def _render(question: dnslib.DNSRecord, known: Answer, room: int) -> bytes:
    """A name that is known has an answer for every type, which may be empty."""
    reply = question.reply(ra=1, aa=1)
    name, kind = question.q.qname, question.q.qtype
    if kind == dnslib.QTYPE.A:
        for address in known.addresses:
            reply.add_answer(dnslib.RR(name, kind, rdata=dnslib.A(address), ttl=TTL))
    elif kind == dnslib.QTYPE.PTR:
        for target in known.names:
            reply.add_answer(dnslib.RR(name, kind, rdata=dnslib.PTR(target), ttl=TTL))
    packed: bytes = reply.pack()
    if len(packed) > room:  # the client asks again over TCP
        packed = reply.truncate().pack()
    return packed


def _refusal(question: dnslib.DNSRecord) -> bytes:
    reply = question.reply(ra=1, aa=0)
    reply.header.rcode = dnslib.RCODE.SERVFAIL
    packed: bytes = reply.pack()
    return packed
