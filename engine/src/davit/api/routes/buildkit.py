"""Routes of BuildKit's clients: their sessions, and the control API.

Both take the connection over: of an answer that is not ``101`` such clients show nothing but the
status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aiohttp import web

from davit.api.hijack import Hijacked, hand_over
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.build import BuildRequest
from davit.model.solve import Step

_CONTENT_TYPE = "application/vnd.docker.raw-stream"
_ID_HEADER = "X-Docker-Expose-Session-Uuid"


class Sessions(Protocol):
    """What these routes need."""

    def opened(self, session_id: str) -> AbstractAsyncContextManager[asyncio.Protocol]:
        """Give the protocol for the client's connection; at the end the session ends."""
        ...


class Solves(Protocol):
    """What builds of the control API need."""

    async def solve(self, request: BuildRequest, report: Callable[[Step], None]) -> str: ...

    async def arrived(self, session_id: str) -> None: ...


def routes(sessions: Sessions, solves: Solves) -> list[Route]:
    async def session(call: Call) -> web.StreamResponse:
        """The client serves gRPC on the connection, for as long as it is open."""
        _require_upgrade(call)
        async with sessions.opened(call.request.headers.get(_ID_HEADER, "")) as protocol:
            await hand_over(call, _CONTENT_TYPE, protocol)
        return Hijacked()

    async def control(call: Call) -> web.StreamResponse:
        """What ``docker buildx`` calls."""
        from davit.api.control import protocol

        _require_upgrade(call)
        await hand_over(call, _CONTENT_TYPE, protocol(solves))
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
