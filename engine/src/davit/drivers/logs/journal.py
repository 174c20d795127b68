"""The host's journal, in its native protocol.

Source: systemd, "Native Journal Protocol": a datagram an entry, ``NAME=value`` lines; a value with
a newline as ``NAME``, its length as a little-endian 64-bit number, and the value.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Mapping

from davit.model import times
from davit.model.logs import LogRecord
from davit.model.runtime import STDERR

SOCKET = "/run/systemd/journal/socket"
_ERROR, _INFO = b"3", b"6"
_NO_NAME = re.compile(r"[^A-Z0-9]")


class JournalSender:
    """fields: what every entry says of the container; names are made fit for the journal."""

    def __init__(self, fields: Mapping[str, str], path: str = SOCKET) -> None:
        self._path = path
        self._fields = b"".join(
            _field(name, value.encode())
            for key, value in fields.items()
            if (name := _NO_NAME.sub("_", key.upper()).lstrip("_"))
        )
        self._socket: socket.socket | None = None

    async def connect(self) -> None:
        """Raises OSError when no journal runs on this host."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise OSError(f"journald is not enabled on this host: {error.strerror}") from None
        self._socket = connection

    async def send(self, records: list[LogRecord]) -> None:
        if self._socket is None:
            await self.connect()
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        try:
            for record in records:
                await loop.sock_sendall(self._socket, self._entry(record))
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _entry(self, record: LogRecord) -> bytes:
        return b"".join(
            (
                _field("MESSAGE", record.text),
                _field("PRIORITY", _ERROR if record.stream == STDERR else _INFO),
                _field("SYSLOG_TIMESTAMP", times.rfc3339_padded(record.time).encode()),
                _field("CONTAINER_PARTIAL_MESSAGE", b"true") if record.partial else b"",
                self._fields,
            )
        )


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
    return b"%b=%b\n" % (name.encode(), value)
