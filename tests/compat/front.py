"""One socket for a swarm of two: Moby manages, davit carries the tasks.

The suite knows one engine: it begins a swarm there, and looks there for the containers of its
services. So each swarm that is begun here gets a davit worker at once, and its manager takes no
tasks (availability ``drain``); what is asked about containers is asked on the worker, as users do
who look for a task's container. All else is Moby's, unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.engine.client import Client

_CARRIED = re.compile(r"(/v[\d.]+)?/(containers|exec)/")
_BEGUN = re.compile(r"(/v[\d.]+)?/swarm/init")
_LEFT = re.compile(r"(/v[\d.]+)?/swarm/leave")
_PIECE = 64 << 10


@dataclass(frozen=True)
class Request:
    """A request as it came. start: its first line; fields: the others of its head."""

    start: str
    fields: list[str]
    body: bytes

    @property
    def path(self) -> str:
        return self.start.split()[1]

    def has(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self.path) is not None

    def pack(self) -> bytes:
        """Return it as one that ends its connection, unless it takes it over."""
        dropped = ("content-length:", "connection: keep-alive")
        fields = [line for line in self.fields if not line.lower().startswith(dropped)]
        if not any(line.lower().startswith("upgrade:") for line in fields):
            fields.append("Connection: close")
        fields.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([self.start, *fields, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Front:
    """manager, worker: the sockets of the engines behind it."""

    manager: Path
    worker: Path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        try:
            request = await _read(reader)
            if request is None:
                return
            if request.has(_BEGUN):
                writer.write(await self._begin(request))
            elif request.has(_LEFT):
                await asyncio.to_thread(self._leave)
                writer.write(await _ask(self.manager, request))
            else:
                engine = self.worker if request.has(_CARRIED) else self.manager
                await _relay(engine, request, reader, writer)
        finally:
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

    async def _begin(self, request: Request) -> bytes:
        body = json.dumps({"Availability": "drain", **json.loads(request.body)}).encode()
        answer = await _ask(self.manager, replace(request, body=body))
        if answer.startswith(b"HTTP/1.1 200 "):
            await asyncio.to_thread(self._join)
        return answer

    def _join(self) -> None:
        manager = Client(self.manager, "v1.41")
        (remote,) = manager.get("/info").json["Swarm"]["RemoteManagers"]
        token = manager.get("/swarm").json["JoinTokens"]["Worker"]
        body = {"RemoteAddrs": [remote["Addr"]], "JoinToken": token}
        answer = Client(self.worker).post("/swarm/join", body)
        assert answer.status == 200, answer.body

    def _leave(self) -> None:
        """Free the worker for the next swarm; it may be in none."""
        Client(self.worker).post("/swarm/leave", force=True)


@contextlib.contextmanager
def front(socket: Path, manager: Path, worker: Path) -> Iterator[None]:
    """Serve on a socket, from a thread."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    end = asyncio.Event()

    async def serve() -> None:
        served = Front(manager, worker).serve
        async with await asyncio.start_unix_server(served, socket):
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """Read a request; None when the client has gone. The suite's have lengths, not chunks."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *fields = head.decode().rstrip().split("\r\n")
    sizes = [line.partition(":")[2] for line in fields if line.lower().startswith("content-length")]
    body = await reader.readexactly(int(sizes[0])) if sizes else b""
    return Request(start, fields, body)


async def _ask(engine: Path, request: Request) -> bytes:
    reader, writer = await asyncio.open_unix_connection(engine)
    writer.write(request.pack())
    try:
        return await reader.read()
    finally:
        writer.close()


async def _relay(
    engine: Path, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Pass everything on in both directions until the engine ends."""
    theirs, ours = await asyncio.open_unix_connection(engine)
    ours.write(request.pack())
    sending = asyncio.create_task(_copy(reader, ours))
    try:
        await _copy(theirs, writer)
    finally:
        sending.cancel()
        ours.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
