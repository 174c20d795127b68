"""``GET /containers/{id}/stats``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import stats as render
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.stats import Stats


class Statistics(Protocol):
    """What this route needs."""

    async def once(self, reference: str, *, one_shot: bool = False) -> Stats: ...

    def follow(self, reference: str) -> AsyncGenerator[Stats, None]: ...


def routes(statistics: Statistics) -> list[Route]:
    async def stats(call: Call) -> web.StreamResponse:
        reference = call.name("id")
        one_shot = call.flag("one-shot") and call.version >= (1, 41)
        if not call.flag("stream", default=True):
            seen = await statistics.once(reference, one_shot=one_shot)
            return response.json(render.stats(seen))
        if one_shot:
            raise InvalidParameter("cannot have stream=true and one-shot=true")
        return await response.json_lines(call, statistics.follow(reference), render.stats)

    return [Route("GET", "/containers/{id}/stats", stats, abort=True)]
