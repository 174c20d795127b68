"""Routes of a container's streams: attach, logs, resize."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from davit.api import hijack, multiplex, response, websocket
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model import log_options, times
from davit.model.container import Container
from davit.model.logs import LogBlock, LogSelection
from davit.model.runtime import STDERR, STDOUT


class Containers(Protocol):
    """Looks containers up."""

    def get(self, reference: str) -> Container: ...


class Streams(Protocol):
    """What these routes need."""

    async def attach(self, reference: str, *, stdin: bool = False) -> hijack.Console: ...

    def logs(self, reference: str, selection: LogSelection) -> AsyncIterator[LogBlock]: ...

    async def resize(self, reference: str, height: int, width: int) -> None: ...

    def detached(self, reference: str) -> None:
        """A client left by its detach keys."""
        ...


def routes(containers: Containers, streams: Streams) -> list[Route]:
    async def attach(call: Call) -> web.StreamResponse:
        container = containers.get(call.name("id"))
        tty = container.config.tty
        async with _console(call, container) as console:
            kind = multiplex.content_type(call.version, tty=tty)
            async with hijack.take_over(call, kind) as (reader, writer):
                peer = hijack.HijackedPeer(reader, writer)
                await peer.head_taken()
                await serve(call, container, console, peer, raw=tty)
        return hijack.Hijacked()

    async def attach_websocket(call: Call) -> web.StreamResponse:
        container = containers.get(call.name("id"))
        async with (
            _console(call, container) as console,
            websocket.accept(call) as (peer, answer),
        ):
            await serve(call, container, console, peer, raw=True)
        return answer

    @contextlib.asynccontextmanager
    async def _console(call: Call, container: Container) -> AsyncIterator[_Attached]:
        """Open the container's streams, when they are wanted, before anything is answered."""
        hijack.detach_keys(call)
        if not call.flag("stream"):
            yield _Attached(None, replay(call, container))
            return
        console = await streams.attach(container.id, stdin=_is_source(call, container))
        try:
            # What is written while the log is replayed waits in the console.
            yield _Attached(console, replay(call, container))
        finally:
            await console.close()

    def replay(call: Call, container: Container) -> AsyncIterator[LogBlock] | None:
        """What was logged until now, when it is wanted. Raises NotSupported."""
        if not call.flag("logs"):
            return None
        return streams.logs(container.id, LogSelection(streams=_streams(call), until=times.now()))

    async def serve(
        call: Call, container: Container, attached: _Attached, peer: hijack.Peer, *, raw: bool
    ) -> None:
        config, wanted = container.config, _streams(call)
        if attached.replay is not None:
            async for block in attached.replay:
                await peer.write(_payload(block, raw=raw))
        if attached.console is not None and await hijack.relay(
            peer,
            attached.console,
            raw=raw,
            tty=config.tty,
            stdin=_is_source(call, container),
            close_stdin=config.stdin_once and not config.tty,
            streams=wanted,
            detach_keys=hijack.detach_keys(call),
        ):
            streams.detached(container.id)

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
        details = log_options.details(container) if call.flag("details") else None
        blocks = streams.logs(container.id, selection)
        return await response.stream(
            call,
            (
                _payload(block, raw=tty, timestamps=timestamps, details=details)
                async for block in blocks
            ),
            multiplex.content_type(call.version, tty=tty),
        )

    async def resize(call: Call) -> web.StreamResponse:
        await streams.resize(call.name("id"), *size(call))
        return web.Response()

    return [
        Route("POST", "/containers/{id}/attach", attach, abort=True),
        Route("GET", "/containers/{id}/attach/ws", attach_websocket, abort=True),
        Route("GET", "/containers/{id}/logs", logs, abort=True),
        Route("POST", "/containers/{id}/resize", resize),
    ]


@dataclass(frozen=True)
class _Attached:
    """console: None when only the log is wanted; replay: None when the log is not."""

    console: hijack.Console | None
    replay: AsyncIterator[LogBlock] | None


def _is_source(call: Call, container: Container) -> bool:
    return call.flag("stdin") and container.config.open_stdin


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


def _payload(
    block: LogBlock, *, raw: bool, timestamps: bool = False, details: bytes | None = None
) -> bytes:
    """Return lines as the client gets them; details: what is said of the container before each."""
    texts = block.texts
    if details is not None:
        texts = [details + text for text in texts]
    if timestamps:
        stamps = map(times.utc_stamp, block.stamps)
        texts = [b"%b %b" % line for line in zip(stamps, texts, strict=True)]
    return b"".join(texts) if raw else multiplex.frames(block.streams, texts)
