"""Short-lived helper programs, run without a shell and off the event loop's way."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from dataclasses import dataclass

from davit.errors import Unavailable


@dataclass(frozen=True)
class Completed:
    """What a program left. status: its exit code, or minus the signal that ended it."""

    argv: Sequence[str]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def reason(self) -> str:
        """The last line of what it said on standard error."""
        lines = self.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with status {self.status} and said nothing"


def watch_children() -> None:
    """Wait for children by pidfds and not in a thread each, as Python does from 3.12 on."""
    if sys.version_info < (3, 12):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


async def run(argv: Sequence[str], *, stdin: bytes | None = None) -> Completed:
    """Run a program to its end. A cancelled caller kills it.

    Raises Unavailable when there is no such program.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL if stdin is None else PIPE, stdout=PIPE, stderr=PIPE
        )
    except FileNotFoundError:
        raise Unavailable(f"{argv[0]} is not installed on this host: install its package") from None
    try:
        stdout, stderr = await process.communicate(stdin)
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return Completed(argv, process.returncode or 0, stdout, stderr)
