"""Routes of BuildKit, which davit does not have: clients learn how to build without it.

They take the connection over first: of an answer that is not ``101`` they show nothing but the
status.
"""

from __future__ import annotations

from aiohttp import web

from davit.api import grpc
from davit.api.hijack import Hijacked, take_over
from davit.api.routing import Call, Route
from davit.errors import NotSupported

USE_CLASSIC = (
    "davit has the classic builder, not BuildKit: set DOCKER_BUILDKIT=0 (clients that ask the API: "
    "leave version=2 out)"
)
_CONTENT_TYPE = "application/vnd.docker.raw-stream"


def routes() -> list[Route]:
    async def session(call: Call) -> web.StreamResponse:
        """Wait for the client to go: it is ``POST /build`` that tells why nothing is asked here."""
        _require_upgrade(call)
        async with take_over(call, _CONTENT_TYPE) as (reader, _):
            while await reader.read(1 << 16):
                pass
        return Hijacked()

    async def control(call: Call) -> web.StreamResponse:
        """What ``docker buildx`` calls."""
        _require_upgrade(call)
        async with take_over(call, _CONTENT_TYPE) as (reader, writer):
            await grpc.refuse(reader, writer, USE_CLASSIC)
        return Hijacked()

    return [
        Route("POST", "/session", session, abort=True),
        Route("POST", "/grpc", control, abort=True),
    ]


def _require_upgrade(call: Call) -> None:
    if call.request.headers.get("Upgrade", "").lower() != "h2c":
        raise NotSupported(f"{call.request.path}: {USE_CLASSIC}")
