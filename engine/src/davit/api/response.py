"""Answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from aiohttp import web

from davit import __version__
from davit.api.routing import API_VERSION, Call
from davit.model import codec

T = TypeVar("T")

COMMON_HEADERS = {
    "Api-Version": ".".join(map(str, API_VERSION)),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"davit/{__version__} (linux)",
}


def json(value: Any, status: int = 200) -> web.Response:
    """Answer structs, dicts and lists as JSON."""
    return web.Response(body=codec.encode(value), status=status, content_type="application/json")


def error(message: str, status: int) -> web.Response:
    """Answer with Docker's error body."""
    return json({"message": message}, status)


def no_content() -> web.Response:
    return web.Response(status=204)


async def begin(
    call: Call,
    content_type: str = "application/json",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Send the head of a streamed answer; ``write`` and ``write_eof`` of the result follow."""
    answer = web.StreamResponse(status=status, headers={**COMMON_HEADERS, **(headers or {})})
    answer.content_type = content_type
    call.begun = True
    await answer.prepare(call.request)
    return answer


async def stream(
    call: Call,
    chunks: AsyncIterator[bytes],
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with chunks as they come."""
    answer = await begin(call, content_type, headers=headers)
    async for chunk in chunks:
        if chunk:  # An empty one would end a chunked body.
            await answer.write(chunk)
    await answer.write_eof()
    return answer


async def archive(
    call: Call, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Answer with a tar as it is made; at the end, whoever ends it, ``pieces`` is closed.

    What fails before the first piece is an error's answer, and no cut archive.
    """
    async with aclosing(pieces):
        first = await anext(pieces, b"")
        answer = await begin(call, "application/x-tar", headers=headers)
        await answer.write(first)
        async for piece in pieces:
            if piece:  # An empty one would end a chunked body.
                await answer.write(piece)
        await answer.write_eof()
    return answer


async def json_lines(
    call: Call, items: AsyncGenerator[T, None], render: Callable[[T], Any]
) -> web.StreamResponse:
    """Answer with one line of JSON for each item as it comes; at the end ``items`` is closed."""
    async with aclosing(items):
        answer = await begin(call)
        async for item in items:
            await answer.write(codec.encode(render(item)) + b"\n")
        await answer.write_eof()
    return answer
