"""Routes of plugins: there is none, whatever its name."""

from __future__ import annotations

from aiohttp import web

from davit.api import response
from davit.api.routing import Call, Route
from davit.errors import NotFound


def routes() -> list[Route]:
    async def list_plugins(call: Call) -> web.StreamResponse:
        call.filters("capability", "enabled")
        return response.json([])

    async def find(call: Call) -> web.StreamResponse:
        raise NotFound(f'plugin "{call.name()}" not found')

    acts = ("disable", "enable", "push", "set", "upgrade")
    return [
        Route("GET", "/plugins", list_plugins, since=(1, 25)),
        # ``docker inspect NAME`` looks here last.
        Route("GET", "/plugins/{name:.+}/json", find),
        *(Route("POST", f"/plugins/{{name:.+}}/{act}", find) for act in acts),
        Route("DELETE", "/plugins/{name:.+}", find),
    ]
