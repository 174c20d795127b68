"""The wire format; what containers see of it is in ``services/networks/test_names.py``."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import dnslib
import pytest

from davit.drivers import dns

MANY = [f"10.0.0.{number}" for number in range(1, 61)]


def lookup(name: str) -> dns.Answer | None:
    return {"many": dns.Answer(addresses=MANY)}.get(name)


@pytest.fixture
async def server() -> AsyncIterator[dns.Server]:
    udp, tcp = dns.open_sockets(Path("/proc/self/ns/net"), "127.0.0.1")
    made = dns.Server(udp, tcp, lookup, lambda: dns.Upstream())
    await made.start()
    yield made
    made.close()


async def test_what_does_not_fit_is_asked_for_again(server: dns.Server) -> None:
    question = dnslib.DNSRecord.question("many")
    answer = await server.respond(question.pack(), stream=False)
    assert answer is not None
    assert len(answer) <= 512
    record = dnslib.DNSRecord.parse(answer)
    assert (record.header.tc, record.rr) == (1, [])
    for stream, asked in ((True, question), (False, with_room(question, 4096))):
        answer = await server.respond(asked.pack(), stream=stream)
        assert answer is not None
        record = dnslib.DNSRecord.parse(answer)
        assert (record.header.tc, len(record.rr)) == (0, len(MANY))


def with_room(question: dnslib.DNSRecord, size: int) -> dnslib.DNSRecord:
    asked = dnslib.DNSRecord.parse(question.pack())
    asked.add_ar(dnslib.EDNS0(udp_len=size))
    return asked


async def test_nobody_to_ask(server: dns.Server) -> None:
    answer = await server.respond(dnslib.DNSRecord.question("other").pack(), stream=False)
    assert dnslib.DNSRecord.parse(answer).header.rcode == dnslib.RCODE.SERVFAIL


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0", b"\xff" * 30, dnslib.DNSRecord.question("many").reply().pack()],
)
async def test_no_question_no_answer(server: dns.Server, garbage: bytes) -> None:
    assert await server.respond(garbage, stream=False) is None


async def test_the_next_server_is_asked_when_one_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dns, "TIMEOUT", 0.1)
    question = dnslib.DNSRecord.question("x").pack()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaking,
    ):
        silent.bind(("127.231.0.1", 53))
        speaking.bind(("127.231.0.2", 53))
        speaking.settimeout(5)
        upstream = dns.Upstream(["127.231.0.1", "127.231.0.3", "127.231.0.2"])
        asking = asyncio.create_task(dns.forward(question, upstream, stream=False))
        data, peer = await asyncio.to_thread(speaking.recvfrom, 512)
        speaking.sendto(b"??" + data[2:], peer)  # another question's answer
        speaking.sendto(data[:2] + b"answer", peer)
        assert await asking == data[:2] + b"answer"


async def test_a_connection_sends_several_questions_and_may_end_at_any_time(
    server: dns.Server,
) -> None:
    question = dnslib.DNSRecord.question("many").pack()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports[1])
    for _ in range(2):
        writer.write(len(question).to_bytes(2, "big") + question)
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert len(dnslib.DNSRecord.parse(await reader.readexactly(size)).rr) == len(MANY)
    writer.write(b"\0")
    writer.close()
    await writer.wait_closed()
