"""Standard input that ends when its client does, and not with any other.

Unless told to leave it open, conmon closes a process's standard input as soon as *some* client of
its attach socket ends (``terminate_remote_sock`` in its ``src/conn_sock.c``). So davitd opens that
pipe a second time before it lets a client in: it stays open after conmon has closed its own end,
until davitd closes it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from davit.drivers.conmon.console import AttachConsole
from davit.sys.threads import finish


class Stdin:
    """The writing end of a process's pipe."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, conmon_pid: int, init_pid: int) -> Stdin | None:
        """None when conmon leaves standard input open, has closed it, or never had it."""
        descriptor = await finish(lambda: _open(conmon_pid, init_pid), _close)
        if descriptor is None:
            return None
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
            os.fdopen(descriptor, "wb"),
        )
        # Who writes waits until the pipe has taken it all.
        transport.set_write_buffer_limits(high=0)
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def write(self, data: bytes) -> None:
        """What the process can no longer read is dropped."""
        if not self._writer.is_closing():
            self._writer.write(data)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    def close(self) -> None:
        """The end follows what has been written. Idempotent."""
        self._writer.close()

    def abort(self) -> None:
        """Nobody reads any more."""
        if not self._writer.is_closing():
            self._writer.transport.abort()


class StdinConsole:
    """A client of a process with such a standard input."""

    def __init__(self, console: AttachConsole, stdin: Stdin, *, is_source: bool) -> None:
        """is_source: this client's end is that of standard input."""
        self._console = console
        self._stdin = stdin
        self._is_source = is_source

    async def read(self) -> tuple[int, bytes] | None:
        return await self._console.read()

    async def write(self, data: bytes) -> None:
        await self._stdin.write(data)

    async def close_stdin(self) -> None:
        self._stdin.close()
        await self._console.close_stdin()

    async def close(self) -> None:
        if self._is_source:
            self._stdin.close()
        await self._console.close()


def _open(conmon_pid: int, init_pid: int) -> int | None:
    """Open the pipe from conmon to the process. Blocking."""
    # One of the two may end at any moment.
    with contextlib.suppress(OSError):
        arguments = Path(f"/proc/{conmon_pid}/cmdline").read_bytes().split(b"\0")
        if b"--stdin" not in arguments or b"--leave-stdin-open" in arguments:
            return None
        # What the process has made of its own descriptor is not to be trusted: it must be a pipe
        # into which conmon writes.
        pipe = os.readlink(f"/proc/{init_pid}/fd/0")
        for entry in Path(f"/proc/{conmon_pid}/fd").iterdir():
            if os.readlink(entry) == pipe and _is_for_writing(conmon_pid, entry.name):
                return os.open(entry, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return None


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _is_for_writing(pid: int, descriptor: str) -> bool:
    text = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text()
    flags = int(text.partition("flags:")[2].split()[0], 8)
    return flags & os.O_ACCMODE == os.O_WRONLY
