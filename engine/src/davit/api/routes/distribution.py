"""``GET /distribution/{name}/json``: what a registry has of an image."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from davit.api import credentials, response
from davit.api.routing import Call, Route
from davit.model.image import Distribution
from davit.model.registry import AuthConfig


class Registry(Protocol):
    """What this route needs."""

    async def inspect(self, name: str, *, auth: AuthConfig) -> Distribution: ...


def routes(registry: Registry) -> list[Route]:
    async def inspect(call: Call) -> web.StreamResponse:
        found = await registry.inspect(call.name(), auth=credentials.read(call))
        return response.json({"Descriptor": found.descriptor, "Platforms": found.platforms})

    return [Route("GET", "/distribution/{name:.+}/json", inspect, since=(1, 30), abort=True)]
