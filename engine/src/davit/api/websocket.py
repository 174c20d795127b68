"""Clients that attach over a websocket (RFC 6455): browsers, docker-py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from davit.api.routing import Call
from davit.errors import InvalidParameter

_BINARY_SINCE = (1, 28)
_CLOSE_SECONDS = 2


class WebsocketPeer:
    """Its end of input is its end."""

    def __init__(self, socket: web.WebSocketResponse, *, binary: bool) -> None:
        self._socket = socket
        self._binary = binary
        self._gone = asyncio.Event()

    async def read(self) -> bytes:
        message = await self._socket.receive()
        if message.type is web.WSMsgType.BINARY:
            return bytes(message.data)
        if message.type is web.WSMsgType.TEXT:
            return str(message.data).encode()
        self._gone.set()
        return b""

    async def write(self, data: bytes) -> None:
        if self._binary:
            await self._socket.send_bytes(data)
        else:
            await self._socket.send_str(data.decode(errors="replace"))

    async def gone(self) -> None:
        await self._gone.wait()


@contextlib.asynccontextmanager
async def accept(call: Call) -> AsyncIterator[tuple[WebsocketPeer, web.WebSocketResponse]]:
    """Finish the handshake; the socket is closed at the end of the block.

    Clients of old API versions get text instead of binary messages. Raises InvalidParameter when
    the request is no handshake.
    """
    socket = web.WebSocketResponse(timeout=_CLOSE_SECONDS)
    if not socket.can_prepare(call.request):
        raise InvalidParameter("a websocket handshake is needed (Upgrade: websocket)")
    await socket.prepare(call.request)
    call.begun = True
    try:
        yield WebsocketPeer(socket, binary=call.version >= _BINARY_SINCE), socket
    finally:
        await socket.close()
