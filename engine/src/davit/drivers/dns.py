"""A small DNS server and forwarder (RFC 1035; over TCP RFC 7766).

Who asks is known by the socket the question arrives on: each container has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dnslib

from davit.model.dns import Answer, Lookup, Upstream
from davit.sys import netns

logger = logging.getLogger(__name__)

TIMEOUT = 4.0
"""Seconds to wait for one upstream server, and for the rest of a question over TCP."""
PATIENCE = 1.5
"""Seconds before the next server is asked, too: clients give up after 5."""
MAX_FORWARDED = 256
"""Questions of one container that may wait for upstream servers at the same time."""
EDNS_ROOM = 1232
"""Bytes that a datagram may have; it fits into every path's MTU (RFC 6891, 6.2.5)."""
TTL = 10
"""Seconds that an answer may be kept: addresses change hands when containers restart."""
_CANNOT_TELL = (dnslib.RCODE.SERVFAIL, dnslib.RCODE.REFUSED)
_HEADER_SIZE = 12


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
        record = _parse(question)
        if record is None:
            return None
        return self._known(record, stream=stream) or await self._forward(
            question, record, stream=stream
        )

    def take(self, question: bytes, peer: tuple[str, int]) -> None:
        """Answer a datagram: at once when it can be, so that no dead server holds that up."""
        record = _parse(question)
        if record is None:
            return
        answer = self._known(record, stream=False)
        if answer is None and len(self._tasks) >= MAX_FORWARDED:
            answer = _failure(record, dnslib.RCODE.REFUSED)
        if answer is not None:
            self._send(answer, peer)
            return
        task = asyncio.create_task(self._forward_datagram(question, record, peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _known(self, record: dnslib.DNSRecord, *, stream: bool) -> bytes | None:
        known = self.lookup(str(record.q.qname).rstrip(".").lower())
        return None if known is None else _render(record, known, _room(record, stream=stream))

    async def _forward(self, question: bytes, record: dnslib.DNSRecord, *, stream: bool) -> bytes:
        upstream = await asyncio.to_thread(self.upstream)
        answer = await forward(question, upstream, stream=stream)
        return answer if answer is not None else _failure(record, dnslib.RCODE.SERVFAIL)

    async def _forward_datagram(
        self, question: bytes, record: dnslib.DNSRecord, peer: tuple[str, int]
    ) -> None:
        self._send(await self._forward(question, record, stream=False), peer)

    def _send(self, answer: bytes, peer: tuple[str, int]) -> None:
        if self._transport is not None:
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
        self._server.take(data, addr)


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
    """Ask the servers in turn, the next one as soon as one fails or is slow; the first answer wins.

    None when none answers in time. An answer that says no more than that the server cannot tell
    (SERVFAIL, REFUSED) is taken only when there is no better one.
    """
    servers = iter(upstream.servers)
    server = next(servers, None)
    asked: set[asyncio.Task[bytes | None]] = set()
    failure: bytes | None = None
    try:
        while server is not None or asked:
            if server is not None:
                attempt = _attempt(question, server, upstream.namespace, stream=stream)
                asked.add(asyncio.create_task(attempt))
                server = next(servers, None)
            patience = PATIENCE if server is not None else None
            done, asked = await asyncio.wait(
                asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for answer in (task.result() for task in done):
                if answer is not None and answer[3] & 0xF not in _CANNOT_TELL:
                    return answer
                failure = answer or failure
        return failure
    finally:
        for task in asked:
            task.cancel()


async def _attempt(
    question: bytes, server: str, namespace: Path | None, *, stream: bool
) -> bytes | None:
    try:
        answer = await asyncio.wait_for(_ask(question, server, namespace, stream=stream), TIMEOUT)
    except (OSError, asyncio.TimeoutError) as error:
        logger.debug("DNS server %s did not answer: %r", server, error)
        return None
    return answer if len(answer) >= _HEADER_SIZE else None


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


def _parse(question: bytes) -> dnslib.DNSRecord | None:
    try:
        record = dnslib.DNSRecord.parse(question)
    except (dnslib.DNSError, ValueError, IndexError, struct.error):
        return None
    return None if record.header.qr or len(record.questions) != 1 else record


def _render(question: dnslib.DNSRecord, known: Answer, room: int) -> bytes:
    """A name that is known has an answer for every type, which may be empty."""
    reply = question.reply(ra=1, aa=1)
    name, asked = question.q.qname, question.q.qtype
    for kind, data in _records(known):
        if asked in (kind, dnslib.QTYPE.ANY):
            reply.add_answer(dnslib.RR(name, kind, rdata=data, ttl=TTL))
    if any(extra.rtype == dnslib.QTYPE.OPT for extra in question.ar):
        reply.add_ar(dnslib.EDNS0(udp_len=EDNS_ROOM))
    packed: bytes = reply.pack()
    if len(packed) > room:  # the client asks again over TCP
        packed = reply.truncate().pack()
    return packed


def _records(known: Answer) -> Iterator[tuple[int, dnslib.RD]]:
    for address in known.addresses:
        if ":" in address:
            yield dnslib.QTYPE.AAAA, dnslib.AAAA(address)
        else:
            yield dnslib.QTYPE.A, dnslib.A(address)
    for target in known.names:
        yield dnslib.QTYPE.PTR, dnslib.PTR(target)


def _failure(question: dnslib.DNSRecord, code: int) -> bytes:
    reply = question.reply(ra=1, aa=0)
    reply.header.rcode = code
    packed: bytes = reply.pack()
    return packed
