"""``_ping``, ``version``, ``info``."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import system as render
from davit.api.routing import Call, Route
from davit.model.system import Overview


class System(Protocol):
    """What these routes need."""

    async def overview(self) -> Overview: ...


_PING_HEADERS = {
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}


def routes(system: System) -> list[Route]:
    async def ping(call: Call) -> web.StreamResponse:
        text = "" if call.request.method == "HEAD" else "OK"
        return web.Response(text=text, headers=_PING_HEADERS)

    async def version(call: Call) -> web.StreamResponse:
        return response.json(render.version(await system.overview()))

    async def info(call: Call) -> web.StreamResponse:
        return response.json(render.info(await system.overview(), call.version))

    return [
        Route("GET", "/_ping", ping),
        Route("HEAD", "/_ping", ping),
        Route("GET", "/version", version),
        Route("GET", "/info", info),
    ]
