"""The taken-over connection, with a console made of queues instead of a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from davit.api import hijack, multiplex
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.runtime import STDERR, STDOUT
from tests.engine.api.conftest import Serve
from tests.engine.client import demultiplex

HEAD = b"POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"


class FakeConsole:
    """What is written to it comes back with ``echo``; ``output`` is what the process says."""

    def __init__(self) -> None:
        self.output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self.input: list[bytes] = []
        self.stdin_closed = asyncio.Event()
        self.closed = asyncio.Event()

    async def read(self) -> tuple[int, bytes] | None:
        return await self.output.get()

    async def write(self, data: bytes) -> None:
        self.input.append(data)

    async def close_stdin(self) -> None:
        self.stdin_closed.set()

    async def close(self) -> None:
        self.closed.set()


class Session:
    def __init__(self) -> None:
        self.console = FakeConsole()
        self.detached: bool | None = None

    def route(self, *, tty: bool = False, stdin: bool = True, close_stdin: bool = True) -> Route:
        async def attach(call: Call) -> web.StreamResponse:
            await call.request.read()
            try:
                async with hijack.take_over(call, multiplex.RAW) as (reader, writer):
                    self.detached = await hijack.relay(
                        hijack.HijackedPeer(reader, writer),
                        self.console,
                        raw=tty,
                        tty=tty,
                        stdin=stdin,
                        close_stdin=close_stdin,
                        streams=frozenset({STDOUT, STDERR}),
                        detach_keys=hijack.DEFAULT_DETACH_KEYS,
                    )
            finally:
                await self.console.close()
            return hijack.Hijacked()

        return Route("POST", "/attach", attach, abort=True)


async def connect(
    path: Path, request: bytes = HEAD + b"\r\n"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    return reader, writer, await reader.readuntil(b"\r\n\r\n")


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_frames_and_end(serve: Serve) -> None:
    session = Session()
    reader, writer, head = await connect(await serve([session.route()]))
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert b"Upgrade: tcp\r\n" in head
    for chunk in ((STDOUT, b"out"), (STDERR, b"err"), (STDOUT, b"!"), None):
        session.console.output.put_nowait(chunk)
    assert demultiplex(await reader.read()) == (b"out!", b"err")
    await asyncio.wait_for(session.console.closed.wait(), 5)
    assert session.detached is False
    await leave(writer)


async def test_without_upgrade_the_answer_is_200(serve: Serve) -> None:
    session = Session()
    plain = b"POST /attach HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    reader, writer, head = await connect(await serve([session.route(tty=True)]), plain)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    writer.write(b"typed")
    session.console.output.put_nowait((STDOUT, b"raw"))
    assert await reader.readexactly(3) == b"raw"
    session.console.output.put_nowait(None)
    assert await reader.read() == b""
    await leave(writer)


async def test_input_and_its_end_reach_the_process(serve: Serve) -> None:
    session = Session()
    request = HEAD + b"Content-Length: 2\r\n\r\n{}"
    _, writer, _ = await connect(await serve([session.route()]), request)
    writer.write(b"all of it" * 50000)
    writer.write_eof()
    await asyncio.wait_for(session.console.stdin_closed.wait(), 5)
    assert b"".join(session.console.input) == b"all of it" * 50000
    await leave(writer)


async def test_output_goes_on_after_the_end_of_input(serve: Serve) -> None:
    session = Session()
    reader, writer, _ = await connect(await serve([session.route()]))
    writer.write_eof()
    await asyncio.wait_for(session.console.stdin_closed.wait(), 5)
    session.console.output.put_nowait((STDOUT, b"late"))
    session.console.output.put_nowait(None)
    assert demultiplex(await reader.read()) == (b"late", b"")
    await leave(writer)


async def test_end_of_input_leaves_when_it_is_not_passed_on(serve: Serve) -> None:
    session = Session()
    reader, writer, _ = await connect(await serve([session.route(close_stdin=False)]))
    writer.write_eof()
    assert await reader.read() == b""
    assert not session.console.stdin_closed.is_set()
    await leave(writer)


@pytest.mark.parametrize("half_closed_first", [False, True])
async def test_a_client_that_vanishes_ends_the_session(
    serve: Serve, half_closed_first: bool
) -> None:
    session = Session()
    _, writer, _ = await connect(await serve([session.route()]))
    if half_closed_first:
        writer.write_eof()
        await asyncio.wait_for(session.console.stdin_closed.wait(), 5)
    await leave(writer)
    await asyncio.wait_for(session.console.closed.wait(), 5)


async def test_detach_keys(serve: Serve) -> None:
    session = Session()
    reader, writer, _ = await connect(await serve([session.route(tty=True)]))
    writer.write(b"ls\x10")
    await asyncio.sleep(0)
    writer.write(b"\x11")
    assert await reader.read() == b""
    assert session.detached is True
    assert b"".join(session.console.input) == b"ls"
    await leave(writer)


async def test_a_slow_client_slows_the_process_down(serve: Serve) -> None:
    session = Session()
    reader, writer, _ = await connect(await serve([session.route(tty=True)]))
    chunk = b"x" * 65536
    for _ in range(400):
        session.console.output.put_nowait((STDOUT, chunk))
    session.console.output.put_nowait(None)
    for _ in range(50):
        await asyncio.sleep(0)
    assert session.console.output.qsize() > 300, "all was read although nobody took it"
    assert len(await reader.read()) == 400 * len(chunk)
    await leave(writer)


@pytest.mark.parametrize(
    ("chunks", "passed", "detached"),
    [
        ([b"abc"], b"abc", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"\x10", b"\x11"], b"", True),
        ([b"\x10", b"x\x10", b"\x11"], b"\x10x", True),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x10"], b"", False),
    ],
)
def test_detach_sequence(chunks: list[bytes], passed: bytes, detached: bool) -> None:
    keys = hijack.DetachKeys("ctrl-p,ctrl-q")
    results = [keys.feed(chunk) for chunk in chunks]
    assert b"".join(data for data, _ in results) == passed
    assert results[-1][1] is detached


@pytest.mark.parametrize(
    ("keys", "sequence"),
    [("", b""), ("a", b"a"), ("ctrl-a", b"\x01"), ("ctrl-@,x", b"\x00x"), ("ctrl-[", b"\x1b")],
)
def test_key_names(keys: str, sequence: bytes) -> None:
    assert hijack.parse_keys(keys) == sequence


@pytest.mark.parametrize("keys", ["ctrl-1", "ctrl-", "ab", "a,,b", "ü"])
def test_bad_key_names(keys: str) -> None:
    with pytest.raises(InvalidParameter, match="detachKeys"):
        hijack.parse_keys(keys)
