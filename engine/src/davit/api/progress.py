"""Streams of JSON lines that tell how far something is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from davit.api import errors, response
from davit.api.routing import Call
from davit.errors import DavitError
from davit.model import codec

Report = Callable[[Any], None]


async def stream(
    call: Call,
    work: Callable[[Report], Awaitable[None]],
    *,
    refuse: bool = True,
    abort: bool = False,
) -> web.StreamResponse:
    """Run ``work`` and answer each line that it reports, at once.

    What it raises before the first line becomes the answer itself, unless refuse is false; later
    the status is out, and the error is the last line, as Docker's clients expect it. A client that
    does not listen any more does not stop the work, unless abort is true.
    """
    lines: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.ensure_future(work(lines.put_nowait))
    try:
        return await _answer(call, running, lines, refuse=refuse, abort=abort)
    finally:
        if abort and not running.done():
            running.cancel()
            await asyncio.wait([running])


async def _answer(
    call: Call,
    running: asyncio.Future[None],
    lines: asyncio.Queue[Any],
    *,
    refuse: bool,
    abort: bool,
) -> web.StreamResponse:
    running.add_done_callback(lambda _: lines.put_nowait(None))
    line = await lines.get()
    if line is None and refuse:
        await running
    try:
        answer = await response.begin(call)
        while line is not None:
            await answer.write(codec.encode(line) + b"\n")
            line = await lines.get()
    except ConnectionError:
        if not abort:
            await running
        raise
    try:
        await running
    except DavitError as error:
        await answer.write(codec.encode(_failure(error)) + b"\n")
    await answer.write_eof()
    return answer


def _failure(error: DavitError) -> dict[str, Any]:
    return {
        "errorDetail": {"code": errors.status(error), "message": error.message},
        "error": error.message,
    }
