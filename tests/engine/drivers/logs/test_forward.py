"""Sending a log on, to servers of our own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from davit.drivers.logs import segments
from davit.drivers.logs.forward import Forwarder
from davit.drivers.logs.journal import JournalSender
from davit.drivers.logs.syslog import SyslogSender
from davit.model import syslog
from davit.model.logs import LogLimits, LogRecord
from davit.model.runtime import STDERR, STDOUT
from tests.engine import tlskit
from tests.engine.drivers.logs.writer import FIRST, Writer

LINE = LogRecord(stream=STDOUT, time=FIRST + 123456789, text=b"a line")


class Memory:
    """A server that keeps what it gets; it fails so many times first."""

    def __init__(self, failures: int = 0) -> None:
        self.got: list[LogRecord] = []
        self.failures = failures
        self.arrived = asyncio.Event()

    async def send(self, records: list[LogRecord]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionRefusedError(111, "Connection refused")
        self.got += records
        self.arrived.set()

    async def close(self) -> None:
        pass

    @property
    def numbers(self) -> list[int]:
        return [int(record.text) for record in self.got]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "container.log")
    yield writer
    writer.close()


def over() -> asyncio.Event:
    ended = asyncio.Event()
    ended.set()
    return ended


async def test_what_comes_is_sent_and_then_all(writer: Writer) -> None:
    memory, ended = Memory(), asyncio.Event()
    sending = asyncio.create_task(Forwarder().forward(writer.log, memory, ended))
    writer.write(3)
    await memory.arrived.wait()
    writer.write(3)
    writer.part("99")
    ended.set()
    await sending
    assert memory.numbers == [0, 1, 2, 3, 4, 5, 99]
    assert [record.partial for record in memory.got] == [False] * 6 + [True]
    assert memory.got[1].time == FIRST + 10**9


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("rotations", [0, 1, 2])
async def test_it_goes_on_where_an_earlier_davitd_was_killed(
    writer: Writer, rotations: int, compress: bool
) -> None:
    limits = LogLimits(max_size=1000, max_file=5, compress=compress)
    segments.prepare(writer.log, limits)
    memory = Memory()
    writer.write(10)
    sending = asyncio.create_task(Forwarder().forward(writer.log, memory, asyncio.Event()))
    await memory.arrived.wait()
    await asyncio.to_thread(_until, writer.log.with_name("container.log.sent").exists)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    for _ in range(rotations):
        writer.write(10)
        await writer.reopen()
        segments.prepare(writer.log, limits)
        segments.tidy(writer.log, limits)
    writer.write(10)
    later = Memory()
    await Forwarder().forward(writer.log, later, over())
    assert memory.numbers + later.numbers == list(range(writer.count))
    again = Memory()
    await Forwarder().forward(writer.log, again, over())
    assert again.got == []


async def test_a_server_that_is_away_gets_the_lines_later(writer: Writer) -> None:
    memory = Memory(failures=2)
    writer.write(5)
    await Forwarder().forward(writer.log, memory, over())
    assert memory.numbers == list(range(5))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, b"<30>Nov 14 22:13:20 tag[7]: a line\n"),
        ({"syslog-format": "rfc3164"}, b"<30>Nov 14 22:13:20 HOST tag[7]: a line\n"),
        ({"syslog-format": "rfc5424"}, b"<30>1 2023-11-14T22:13:20Z HOST tag 7 tag - a line\n"),
        (
            {"syslog-format": "rfc5424micro", "syslog-facility": "local7"},
            b"<190>1 2023-11-14T22:13:20.123456Z HOST tag 7 tag - a line\n",
        ),
        ({"syslog-facility": "0"}, b"<6>Nov 14 22:13:20 tag[7]: a line\n"),
    ],
)
def test_messages(
    options: dict[str, str], expected: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)
    target = syslog.parse({"syslog-address": "udp://127.0.0.1", **options})
    assert syslog.message(target, LINE, hostname="HOST", tag="tag", pid=7) == expected


def test_standard_error_is_an_error() -> None:
    target = syslog.parse({"syslog-address": "unixgram:///x", "syslog-format": "rfc5424"})
    record = LogRecord(stream=STDERR, time=FIRST, text=b"x")
    assert syslog.message(target, record, hostname="h", tag="t", pid=1).startswith(b"<27>1 ")


async def _served(address: str, options: dict[str, str], tls: ssl.SSLContext | None) -> bytes:
    """Send a line to a stream server at an address with PORT, and return what it got."""
    got = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, peer: asyncio.StreamWriter) -> None:
        got.put_nowait(await reader.read())
        peer.close()

    if address.startswith("unix"):
        server = await asyncio.start_unix_server(serve, address.removeprefix("unix://"))
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        address = address.replace("PORT", str(server.sockets[0].getsockname()[1]))
    async with server:
        target = syslog.parse({"syslog-address": address, "syslog-format": "rfc5424", **options})
        sender = SyslogSender(target, tag="t")
        await sender.send([LINE])
        await sender.close()
        return await got.get()


async def test_streams(tmp_path: Path) -> None:
    for address in ("tcp://127.0.0.1:PORT", f"unix://{tmp_path}/s"):
        assert (await _served(address, {}, None)).endswith(b" t - a line\n")


async def test_tls(tmp_path: Path) -> None:
    home = tlskit.Authority(tmp_path).sign("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    address = "tcp+tls://127.0.0.1:PORT"
    got = await _served(address, {"syslog-tls-ca-cert": str(home / "ca.pem")}, context)
    size, _, text = got.partition(b" ")
    assert int(size) == len(text)
    assert text.endswith(b" t - a line\n")
    await _served(address, {"syslog-tls-skip-verify": "true"}, context)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"dial tcp\+tls .* certificate verify"):
        await asyncio.wait_for(_served(address, {}, context), 20)


async def test_datagrams(tmp_path: Path) -> None:
    kind = socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as udp, socket.socket(socket.AF_UNIX, kind) as unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"{tmp_path}/s")
        for address, server in (
            (f"udp://127.0.0.1:{udp.getsockname()[1]}", udp),
            (f"unixgram://{tmp_path}/s", unix),
        ):
            sender = SyslogSender(syslog.parse({"syslog-address": address}), tag="t")
            await sender.send([LINE, LINE])
            await sender.close()
            for _ in range(2):
                assert server.recv(1000).endswith(b"]: a line\n")


async def test_a_lost_connection_is_made_anew() -> None:
    got = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, peer: asyncio.StreamWriter) -> None:
        got.put_nowait(await reader.readline())
        peer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sender = SyslogSender(syslog.parse({"syslog-address": f"tcp://127.0.0.1:{port}"}), tag="t")
        for _ in range(3):
            await sender.send([LINE])
            assert (await got.get()).endswith(b"a line\n")
            await asyncio.to_thread(_until, lambda: sender.is_lost)
        await sender.close()


async def test_an_entry_of_the_journal(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{tmp_path}/socket")
        sender = JournalSender({"my.label": "v", "TWO": "a\nb"}, f"{tmp_path}/socket")
        await sender.send([LogRecord(stream=STDERR, time=FIRST, text=b"x", partial=True)])
        await sender.close()
        assert server.recv(1000) == (
            b"MESSAGE=x\nPRIORITY=3\nSYSLOG_TIMESTAMP=2023-11-14T22:13:20.000000000Z\n"
            b"CONTAINER_PARTIAL_MESSAGE=true\nMY_LABEL=v\n"
            b"TWO\n\x03\0\0\0\0\0\0\0a\nb\n"
        )


async def test_a_server_that_is_not_there_is_named() -> None:
    for address, words in (
        ("unix:///none/s", "dial unix /none/s: no such file or directory"),
        ("unixgram:///none/s", "dial unixgram /none/s: no such file or directory"),
        ("tcp://no.such.host.invalid", "dial tcp no.such.host.invalid:514: "),
    ):
        sender = SyslogSender(syslog.parse({"syslog-address": address}), tag="t")
        with pytest.raises(OSError, match=words):
            await sender.connect()


async def test_a_host_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="journald is not enabled on this host"):
        await JournalSender({}, f"{tmp_path}/none").connect()


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)
