"""A connection to a syslog server: datagrams, streams, TLS, or the host's own socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path

from davit.model.logs import LogRecord
from davit.model.syslog import Syslog, message
from davit.sys.tls import client_context

LOCAL_SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")
_TIMEOUT = 10.0


class SyslogSender:
    """Makes its connection when it is needed, and anew when it is lost."""

    def __init__(self, target: Syslog, *, tag: str) -> None:
        self._target = target
        self._tag = tag
        self._hostname = socket.gethostname()
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._socket: socket.socket | None = None

    @property
    def _dial(self) -> str:
        target = self._target
        address = f"{target.host}:{target.port}" if target.port else target.host
        return " ".join(filter(None, ("dial", target.protocol, address)))

    async def connect(self) -> None:
        """Raises OSError when the server cannot be reached."""
        try:
            await asyncio.wait_for(self._connect(), _TIMEOUT)
        except asyncio.TimeoutError:
            raise TimeoutError(f"{self._dial}: no answer in {_TIMEOUT:.0f} s") from None
        except OSError as error:
            # asyncio's own words name neither the protocol nor the reason.
            number = error.errno or 0
            # TLS and name look-ups have numbers of their own.
            is_kernels = number > 0 and not isinstance(error, ssl.SSLError)
            reason = os.strerror(number).lower() if is_kernels else str(error)
            raise type(error)(error.errno, f"{self._dial}: {reason}") from None

    @property
    def is_lost(self) -> bool:
        """Whether the server has ended the connection."""
        return self._stream is not None and self._stream[0].at_eof()

    async def send(self, records: list[LogRecord]) -> None:
        if self.is_lost:
            await self.close()
        if self._stream is None and self._socket is None:
            await self.connect()
        messages = [
            message(self._target, record, hostname=self._hostname, tag=self._tag, pid=os.getpid())
            for record in records
        ]
        try:
            if self._stream is not None:
                self._stream[1].write(b"".join(messages))
                await self._stream[1].drain()
            elif self._socket is not None:
                loop = asyncio.get_running_loop()
                for datagram in messages:
                    await loop.sock_sendall(self._socket, datagram)
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._stream is not None:
            writer = self._stream[1]
            self._stream = None
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):  # It is lost already.
                await asyncio.wait_for(writer.wait_closed(), _TIMEOUT)

    async def _connect(self) -> None:
        target = self._target
        if target.protocol in ("tcp", "tcp+tls"):
            context = None
            if target.protocol == "tcp+tls":
                context = await asyncio.to_thread(_tls, target)
            self._stream = await asyncio.open_connection(target.host, target.port, ssl=context)
        elif target.protocol == "unix":
            self._stream = await asyncio.open_unix_connection(target.host)
        elif target.protocol == "unixgram":
            self._socket = _datagram(target.host)
        elif target.protocol == "udp":
            found = await asyncio.get_running_loop().getaddrinfo(
                target.host, target.port, type=socket.SOCK_DGRAM
            )
            family, kind, number, _, address = found[0]
            self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, number)
            self._socket.connect(address)
        else:
            await self._connect_locally()

    async def _connect_locally(self) -> None:
        for path in filter(os.path.exists, LOCAL_SOCKETS):
            try:
                self._socket = _datagram(path)
            except OSError:
                self._stream = await asyncio.open_unix_connection(path)
            return
        raise OSError("Unix syslog delivery error: no syslog socket on this host")


def _datagram(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _tls(target: Syslog) -> ssl.SSLContext:
    context = client_context(target.ca or None)
    if target.certificate:
        context.load_cert_chain(Path(target.certificate), Path(target.key or target.certificate))
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
