"""Routes of the builder."""

from __future__ import annotations

from aiohttp import web

from davit.api import response
from davit.api.routing import Call, Route

_PRUNE_FILTERS = (
    *("description", "id", "inuse", "parent", "private", "shared"),
    *("type", "until", "unused-for"),
)


def routes() -> list[Route]:
    async def prune(call: Call) -> web.StreamResponse:
        """``docker system prune`` asks for it, too. davit keeps no cache of builds to prune."""
        call.filters(*_PRUNE_FILTERS)
        return response.json({"CachesDeleted": None, "SpaceReclaimed": 0})

    return [Route("POST", "/build/prune", prune, since=(1, 31))]
