"""Routes of a container's streams: attach, logs, resize."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import web

from davit.api import hijack, multiplex, response
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model import times
from davit.model.container import Container
from davit.model.logs import LogChunk, LogSelection
from davit.model.runtime import STDERR, STDOUT


class Containers(Protocol):
    """Looks containers up."""

    def get(self, reference: str) -> Container: ...


class Streams(Protocol):
    """What these routes need."""

    async def attach(self, reference: str, *, stdin: bool = False) -> hijack.Console: ...

    def logs(self, reference: str, selection: LogSelection) -> AsyncIterator[LogChunk]: ...

    async def resize(self, reference: str, height: int, width: int) -> None: ...

    def detached(self, reference: str) -> None:
        """A client left by its detach keys."""
        ...


def routes(containers: Containers, streams: Streams) -> list[Route]:
    async def attach(call: Call) -> web.StreamResponse:
        container = containers.get(call.name("id"))
        config = container.config
        keys = hijack.detach_keys(call)
        wanted = _streams(call)
        stdin = call.flag("stdin") and config.open_stdin
        # Opened first: what is written while the log is replayed waits in the console.
        console = await streams.attach(container.id, stdin=stdin) if call.flag("stream") else None
        try:
            opened = times.now()
            kind = multiplex.content_type(call.version, tty=config.tty)
            async with hijack.take_over(call, kind) as (reader, writer):
                if call.flag("logs"):
                    replay = LogSelection(streams=wanted, until=opened)
                    async for chunk in streams.logs(container.id, replay):
                        writer.write(_payload(chunk, tty=config.tty, timestamps=False))
                        await writer.drain()
                if console is not None and await hijack.relay(
                    reader,
                    writer,
                    console,
                    tty=config.tty,
                    stdin=stdin,
                    close_stdin=config.stdin_once and not config.tty,
                    streams=wanted,
                    detach_keys=keys,
                ):
                    streams.detached(container.id)
        finally:
            if console is not None:
                await console.close()
        return hijack.Hijacked()

    async def logs(call: Call) -> web.StreamResponse:
        container = containers.get(call.name("id"))
        wanted = _streams(call)
        if not wanted:
            raise InvalidParameter("Bad parameters: you must choose at least one stream")
        selection = LogSelection(
            streams=wanted,
            since=_time(call, "since"),
            until=_time(call, "until"),
            tail=_tail(call),
            follow=call.flag("follow"),
        )
        tty, timestamps = container.config.tty, call.flag("timestamps")
        chunks = streams.logs(container.id, selection)
        return await response.stream(
            call,
            (_payload(chunk, tty=tty, timestamps=timestamps) async for chunk in chunks),
            multiplex.content_type(call.version, tty=tty),
        )

    async def resize(call: Call) -> web.StreamResponse:
        await streams.resize(call.name("id"), *size(call))
        return web.Response()

    return [
        Route("POST", "/containers/{id}/attach", attach, abort=True),
        Route("GET", "/containers/{id}/logs", logs, abort=True),
        Route("POST", "/containers/{id}/resize", resize),
    ]


def size(call: Call) -> tuple[int, int]:
    """Return a terminal's height and width. Raises InvalidParameter."""
    height, width = call.integer("h"), call.integer("w")
    if height is None or width is None or not (0 <= height < 1 << 16 and 0 <= width < 1 << 16):
        raise InvalidParameter("h and w are needed: the terminal's size in characters")
    return height, width


def _streams(call: Call) -> frozenset[int]:
    names = {STDOUT: "stdout", STDERR: "stderr"}
    return frozenset(stream for stream, name in names.items() if call.flag(name))


def _time(call: Call, key: str) -> int | None:
    text = call.text(key)
    return times.parse_timestamp(text) if text and text != "0" else None


def _tail(call: Call) -> int | None:
    """Return the number of lines; whatever is not a number means all, as in Docker."""
    text = call.text("tail", "all")
    return int(text) if text.isdigit() else None


def _payload(chunk: LogChunk, *, tty: bool, timestamps: bool) -> bytes:
    data = chunk.data
    if timestamps:
        data = times.rfc3339_padded(chunk.time).encode() + b" " + data
    return data if tty else multiplex.frame(chunk.stream, data)
