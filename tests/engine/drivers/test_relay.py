"""What goes through a relay, both ways, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from davit.drivers.relay import Relay

DATA = bytes(range(256)) * 8192  # more than any buffer on the way


async def reverse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read all that the client has to say, and only then answer."""
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()


def bound(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, 0))
    return made


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, int]]:
    made = await asyncio.start_server(reverse, "127.0.0.1", 0)
    yield made.sockets[0].getsockname()
    made.close()
    await made.wait_closed()


async def test_everything_passes_and_ends_one_way_at_a_time(server: tuple[str, int]) -> None:
    with bound("::1") as own:
        relay = Relay(own, lambda: server)
        await relay.start()
        reader, writer = await asyncio.open_connection(*own.getsockname()[:2])
        writer.write(DATA)
        writer.write_eof()
        assert await reader.read() == DATA[::-1]
        writer.close()
        relay.close()
        relay.close()


async def test_it_ends_with_its_connections(server: tuple[str, int]) -> None:
    own = bound("::1")
    address = own.getsockname()[:2]
    relay = Relay(own, lambda: server)
    await relay.start()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"x")
    await writer.drain()
    relay.close()
    own.close()
    with contextlib.suppress(ConnectionResetError):  # when what was sent had not been read
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_connections_that_lead_nowhere_end(server: tuple[str, int]) -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    nobody: tuple[str, int] = closed.getsockname()
    closed.close()
    for target in (None, nobody):
        with bound("::1") as own:
            relay = Relay(own, lambda target=target: target)  # type: ignore[misc]
            await relay.start()
            reader, writer = await asyncio.open_connection(*own.getsockname()[:2])
            assert await reader.read() == b""
            writer.close()
            relay.close()
