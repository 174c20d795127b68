"""Starting conmon, and hearing from it what became of the runtime.

Source: conmon(8) and conmon's ``src/conmon.c``: the pipes whose numbers it finds in
``_OCI_SYNCPIPE``, ``_OCI_STARTPIPE`` and ``_OCI_ATTACHPIPE``.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from davit.errors import SystemFailure, Unavailable
from davit.sys.pidfd import readable


class Report(msgspec.Struct, frozen=True):
    """A line on the sync pipe. data: the PID, negative when the runtime failed."""

    data: int
    message: str = ""


class Spawned:
    """A conmon under way. Close it when it has reported."""

    def __init__(self, stack: ExitStack, sync: int, attach: int, start: int) -> None:
        self._stack = stack
        self._sync = sync
        self._attach = attach
        self._start = start

    async def report(self) -> Report:
        """What the runtime came to. Raises SystemFailure when conmon died without a word."""
        return await _read_report(self._sync)

    async def listening(self) -> None:
        """Return when an exec's attach socket is there; its process has not begun."""
        await _read_report(self._attach)

    def go(self) -> None:
        """Let conmon take its next step; an exec waits twice."""
        os.write(self._start, b"\0")

    def close(self) -> None:
        self._stack.close()


async def spawn(
    conmon: str, arguments: Sequence[str], *, directory: Path, attach: bool = False
) -> Spawned:
    """Start conmon; return when it has left our process group for good.

    directory: to work in; conmon leaves a file ``oom`` there when the kernel ran out of memory.
    Raises Unavailable when there is no conmon, SystemFailure when it refuses its arguments.
    """
    with ExitStack() as stack:
        ours: dict[str, int] = {}
        theirs: dict[str, int] = {}
        for name in ("SYNC", "ATTACH", "START") if attach else ("SYNC",):
            reader, writer = os.pipe()
            ours[name], theirs[name] = (writer, reader) if name == "START" else (reader, writer)
            stack.callback(os.close, ours[name])
            os.set_blocking(ours[name], False)
        environment = {f"_OCI_{name}PIPE": str(end) for name, end in theirs.items()}
        environment["TZ"] = "UTC0"  # of the times in the log
        environment["PATH"] = os.defpath + ":/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin"
        try:
            process = await asyncio.create_subprocess_exec(
                conmon,
                *arguments,
                pass_fds=list(theirs.values()),
                cwd=directory,
                env=environment,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Unavailable(f"{conmon} is not installed on this host: install conmon") from None
        finally:
            for end in theirs.values():
                os.close(end)
        spawned = Spawned(
            stack.pop_all(), ours["SYNC"], ours.get("ATTACH", -1), ours.get("START", -1)
        )
    try:
        if attach:
            spawned.go()
        # The first process forks the monitor and ends at once.
        _, complaint = await process.communicate()
        if process.returncode:
            text = complaint.decode(errors="replace").strip()
            raise SystemFailure(f"conmon ended with status {process.returncode}: {text}")
    except BaseException:
        spawned.close()
        raise
    return spawned


async def _read_report(descriptor: int) -> Report:
    received = bytearray()
    while b"\n" not in received:
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            await readable(descriptor)
            continue
        if not chunk:
            raise SystemFailure("conmon ended without reporting what became of the container")
        received += chunk
    return msgspec.json.decode(bytes(received).partition(b"\n")[0], type=Report)
