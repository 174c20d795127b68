"""TCP connections to ``::1``, led on to where the packet filter cannot lead them.

The kernel takes no answer for ``::1`` from another interface (rt6_need_strict), so such a
connection ends here, and a second one goes to the container. Nobody else gets here: what is
addressed to other addresses of the host is translated before.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

Target = Callable[[], "tuple[str, int] | None"]

_LOOPBACK = "::1"
_CHUNK = 64 << 10
_PATIENCE = 10.0
"""Seconds for the container to take a connection."""


class Relay:
    """Serves on a bound socket, from ``start`` to ``close``."""

    def __init__(self, bound: socket.socket, target: Target) -> None:
        """target: where a connection that comes goes to; None for nowhere."""
        self._socket = bound
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        # Connections inherit it: what is left of them would keep the next davitd from the port.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A copy: whoever bound the socket closes it, too.
        self._server = await asyncio.start_server(self._accept, sock=self._socket.dup())

    def close(self) -> None:
        """End with all connections. Idempotent."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.CancelledError):
            try:
                await self._serve(reader, writer)
            finally:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._target()
        if target is None or writer.get_extra_info("peername")[0] != _LOOPBACK:
            return
        far, near = await asyncio.wait_for(asyncio.open_connection(*target), _PATIENCE)
        try:
            await asyncio.gather(_pipe(reader, near), _pipe(far, writer))
        finally:
            near.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until the sender ends; the other direction goes on."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
