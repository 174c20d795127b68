"""``POST /auth``."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.routing import Call, Route
from davit.model.registry import AuthConfig


class Registries(Protocol):
    """What this route needs."""

    async def login(self, wish: AuthConfig) -> str: ...


def routes(registries: Registries) -> list[Route]:
    async def login(call: Call) -> web.StreamResponse:
        token = await registries.login(await call.body(AuthConfig))
        return response.json({"Status": "Login Succeeded", "IdentityToken": token})

    return [Route("POST", "/auth", login)]
