"""The wire format; what containers see of it is in ``services/networks/test_names.py``."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dnslib
import pytest

from davit.drivers import dns

MANY = [f"10.0.0.{number}" for number in range(1, 61)]


def lookup(name: str) -> dns.Answer | None:
    return {
        "many": dns.Answer(addresses=MANY),
        "six": dns.Answer(addresses=["10.0.0.6", "fd00::6"]),
    }.get(name)


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


QUESTION = dnslib.DNSRecord.question("x")


def reply(code: int = dnslib.RCODE.NOERROR) -> bytes:
    answer = QUESTION.reply()
    answer.header.rcode = code
    packed: bytes = answer.pack()
    return packed


@pytest.fixture
def servers() -> Iterator[list[socket.socket]]:
    """Three servers, 127.231.0.1 to .3, that say nothing by themselves."""
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(1, 4):
            link = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            link.bind((f"127.231.0.{number}", 53))
            link.settimeout(10)
            made.append(link)
        yield made


UPSTREAM = dns.Upstream([f"127.231.0.{number}" for number in range(1, 4)])


async def test_a_server_that_is_silent_is_overtaken(
    servers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "PATIENCE", 0.05)
    monkeypatch.setattr(dns, "TIMEOUT", 1000)
    asking = asyncio.create_task(dns.forward(QUESTION.pack(), UPSTREAM, stream=False))
    data, peer = await asyncio.to_thread(servers[2].recvfrom, 512)
    servers[2].sendto(b"??" + data[2:], peer)  # another question's answer
    servers[2].sendto(reply(), peer)
    assert await asyncio.wait_for(asking, 10) == reply()


async def test_a_server_that_is_late_may_still_win(
    servers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "PATIENCE", 0.05)
    asking = asyncio.create_task(dns.forward(QUESTION.pack(), UPSTREAM, stream=False))
    await asyncio.to_thread(servers[2].recvfrom, 512)
    _, peer = await asyncio.to_thread(servers[0].recvfrom, 512)
    servers[0].sendto(reply(), peer)
    assert await asyncio.wait_for(asking, 10) == reply()


@pytest.mark.parametrize("last", [dnslib.RCODE.NXDOMAIN, dnslib.RCODE.SERVFAIL])
async def test_who_cannot_tell_is_not_the_last_to_be_asked(
    servers: list[socket.socket], last: int
) -> None:
    asking = asyncio.create_task(dns.forward(QUESTION.pack(), UPSTREAM, stream=False))
    for server, code in zip(
        servers, (dnslib.RCODE.SERVFAIL, dnslib.RCODE.REFUSED, last), strict=True
    ):
        _, peer = await asyncio.to_thread(server.recvfrom, 512)
        server.sendto(reply(code), peer)
    assert await asyncio.wait_for(asking, 10) == reply(last)


async def test_nobody_answers_in_time(
    servers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "PATIENCE", 0.05)
    monkeypatch.setattr(dns, "TIMEOUT", 0.1)
    assert await dns.forward(QUESTION.pack(), UPSTREAM, stream=False) is None


async def ask(server: dns.Server, *questions: bytes) -> list[dnslib.DNSRecord]:
    """Send datagrams one after the other and return as many answers."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        client.connect(("127.0.0.1", server.ports[0]))
        for question in questions:
            client.send(question)
        answers = [await asyncio.wait_for(loop.sock_recv(client, 4096), 10) for _ in questions]
    return [dnslib.DNSRecord.parse(answer) for answer in answers]


async def test_dead_servers_do_not_hold_up_what_is_known(
    server: dns.Server, servers: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "MAX_FORWARDED", 1)
    server.upstream = lambda: UPSTREAM
    waiting = dnslib.DNSRecord.question("a.example")
    too_many = dnslib.DNSRecord.question("b.example")
    known = dnslib.DNSRecord.question("six", "AAAA")
    asked = asyncio.create_task(ask(server, waiting.pack(), too_many.pack(), known.pack()))
    _, peer = await asyncio.to_thread(servers[0].recvfrom, 512)
    servers[0].sendto(waiting.reply().pack(), peer)
    codes = {answer.header.id: answer.header.rcode for answer in await asked}
    assert codes == {
        too_many.header.id: dnslib.RCODE.REFUSED,
        known.header.id: dnslib.RCODE.NOERROR,
        waiting.header.id: dnslib.RCODE.NOERROR,
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("A", ["10.0.0.6"]),
        ("AAAA", ["fd00::6"]),
        ("ANY", ["10.0.0.6", "fd00::6"]),
        ("MX", []),
    ],
)
async def test_each_type_has_its_answers(
    server: dns.Server, kind: str, expected: list[str]
) -> None:
    [answer] = await ask(server, with_room(dnslib.DNSRecord.question("six", kind), 4096).pack())
    assert answer.header.rcode == dnslib.RCODE.NOERROR
    assert [str(record.rdata) for record in answer.rr] == expected
    assert [extra.rtype for extra in answer.ar] == [dnslib.QTYPE.OPT], "who speaks EDNS hears it"


async def test_no_datagram_upsets_the_server(server: dns.Server) -> None:
    chance = random.Random(1)
    questions = [dnslib.DNSRecord.question(name).pack() for name in ("six", "many.x")]
    peer = ("127.0.0.1", 9)
    for _ in range(2000):
        data = bytearray(chance.choice(questions))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        server.take(bytes(data[: chance.randrange(1, len(data) + 1)]), peer)
    [answer] = await ask(server, questions[0])
    assert answer.rr


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
