"""One client of the attach socket of a container or exec.

conmon sends packets: a byte with the pipe's number (2 standard output, 3 standard error; a terminal
sends 2), then data. What the client sends is standard input, unframed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

from davit.errors import Conflict
from davit.model.runtime import STDERR, STDOUT

_STREAMS = {2: STDOUT, 3: STDERR}
# conmon reads and writes at most this much in one packet (STDIO_BUF_SIZE), plus the pipe's number.
_CHUNK = 8192
# Looks, a millisecond apart, at whether conmon has accepted; one that is stuck is not waited for.
_PATIENCE = 200
# A connection that nobody has accepted yet, in /proc/net/unix (the kernel's SS_CONNECTING).
_CONNECTING = b"02"


class AttachConsole:
    """Reads stop while nobody asks: conmon then waits for this client as it does for its log."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, home: Path, *, accepted: bool = True) -> AttachConsole:
        """Connect to the socket in a container's directory. Raises Conflict when there is none.

        accepted: return only when conmon sends this client everything from then on.
        """
        connection = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            directory = os.open(home, os.O_PATH | os.O_CLOEXEC)
            try:
                # Through the descriptor, because a socket's address has 108 bytes at the most.
                connection.connect(f"/proc/self/fd/{directory}/attach")
            finally:
                os.close(directory)
        except OSError as error:
            connection.close()
            raise Conflict(
                f"cannot attach to {home.name}: it is not running ({error.strerror})"
            ) from None
        try:
            for _ in range(_PATIENCE if accepted else 0):
                if not await asyncio.to_thread(_is_pending):
                    break
                await asyncio.sleep(0.001)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    async def read(self) -> tuple[int, bytes] | None:
        while True:
            try:
                packet = await self._loop.sock_recv(self._socket, _CHUNK + 1)
            except ConnectionResetError:
                return None
            if not packet:
                return None
            if len(packet) > 1 and packet[0] in _STREAMS:
                return _STREAMS[packet[0]], packet[1:]

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK):
            try:
                await self._loop.sock_sendall(self._socket, view[start : start + _CHUNK])
            except (BrokenPipeError, ConnectionResetError):
                return  # The process has closed its input or ended: as a pipe to it would be.

    async def close_stdin(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    async def close(self) -> None:
        self._socket.close()


def _is_pending() -> bool:
    """Whether a connection to some attach socket waits to be accepted. Blocking.

    Until then conmon sends it nothing. It accepts one in each turn of its loop, in which it also
    passes output on: without a look at this a container's first words can pass a client by.
    """
    with open("/proc/net/unix", "rb") as table:
        for line in table:
            fields = line.split()
            if fields[-1].endswith(b"/attach") and fields[5] == _CONNECTING:
                return True
    return False
