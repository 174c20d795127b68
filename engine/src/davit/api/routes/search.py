"""``GET /images/search``."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from davit.api import credentials, response
from davit.api.routing import Call, Route
from davit.model.filters import Filters
from davit.model.registry import AuthConfig, SearchResult

_FILTERS = ("is-automated", "is-official", "stars")


class Registries(Protocol):
    """What this route needs."""

    async def search(
        self, term: str, *, limit: int | None, filters: Filters, auth: AuthConfig
    ) -> list[SearchResult]: ...


def routes(registries: Registries) -> list[Route]:
    async def search(call: Call) -> web.StreamResponse:
        found = await registries.search(
            call.text("term"),
            limit=call.integer("limit"),
            filters=call.filters(*_FILTERS),
            auth=credentials.read(call),
        )
        return response.json(found)

    return [Route("GET", "/images/search", search, abort=True)]
