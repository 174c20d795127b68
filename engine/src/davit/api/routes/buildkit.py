"""Routes of BuildKit's clients: their sessions, and the control API.

Both take the connection over: of an answer that is not ``101`` such clients show nothing but the
status.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aiohttp import web

from davit.api import grpc
from davit.api.hijack import Hijacked, hand_over, take_over
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter

USE_CLASSIC = (
    "davit does not serve BuildKit's control API: set DOCKER_BUILDKIT=0, or build with a Docker "
    "CLI that has BuildKit's client built in (20.10)"
)
_CONTENT_TYPE = "application/vnd.docker.raw-stream"
_ID_HEADER = "X-Docker-Expose-Session-Uuid"


class Sessions(Protocol):
    """What these routes need."""

    def opened(self, session_id: str) -> AbstractAsyncContextManager[asyncio.Protocol]:
        """Give the protocol for the client's connection; at the end the session ends."""
        ...


def routes(sessions: Sessions) -> list[Route]:
    async def session(call: Call) -> web.StreamResponse:
        """The client serves gRPC on the connection, for as long as it is open."""
        _require_upgrade(call)
        async with sessions.opened(call.request.headers.get(_ID_HEADER, "")) as protocol:
            await hand_over(call, _CONTENT_TYPE, protocol)
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
        raise InvalidParameter(
            f"{call.request.path}: gRPC goes over a connection that is upgraded (Upgrade: h2c)"
        )
