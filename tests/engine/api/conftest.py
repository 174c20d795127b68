"""A server with routes of the test's own, in the test's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from davit.api.routing import Route
from davit.api.server import Server

Serve = Callable[[Iterable[Route]], Awaitable[Path]]


@pytest.fixture
async def serve(tmp_path: Path, blockbuster: BlockBuster) -> AsyncIterator[Serve]:
    """Returns a function that serves routes and gives the socket's path."""
    servers: list[Server] = []

    async def start(routes: Iterable[Route]) -> Path:
        path = tmp_path / f"s{len(servers)}"
        servers.append(Server(routes))
        await servers[-1].listen([f"unix://{path}"])
        return path

    before = asyncio.all_tasks()
    yield start
    for server in servers:
        await server.close(timeout=1)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, left


async def ask(path: Path, request: str) -> bytes:
    """Send a request with ``Connection: close`` and return the whole answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    head, _, body = request.partition("\n\n")
    lines = [*head.split("\n"), "Host: x", "Connection: close"]
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer
