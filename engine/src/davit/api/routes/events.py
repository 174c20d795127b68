"""``GET /events``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import system as render
from davit.api.routing import Call, Route
from davit.model import times
from davit.model.event import Event
from davit.model.filters import Filters

_FILTERS = (
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
)


class Events(Protocol):
    """What this route needs."""

    def follow(
        self, filters: Filters, *, since: int | None = None, until: int | None = None
    ) -> AsyncGenerator[Event, None]: ...


def routes(events: Events) -> list[Route]:
    async def follow(call: Call) -> web.StreamResponse:
        found = events.follow(
            call.filters(*_FILTERS), since=_time(call, "since"), until=_time(call, "until")
        )
        return await response.json_lines(call, found, render.event)

    return [Route("GET", "/events", follow, abort=True)]


def _time(call: Call, key: str) -> int | None:
    text = call.text(key)
    return times.parse_timestamp(text) if text and text != "0" else None
