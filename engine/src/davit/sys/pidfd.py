"""Processes that are not our children: told apart, and waited for (pidfd_open(2))."""

from __future__ import annotations

import asyncio
import os

_STATE, _START_TICKS = 0, 19


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone.

    With the PID this names one process for ever (proc(5), ``/proc/PID/stat`` field 22). A zombie
    counts as gone: it does nothing any more, and its parent may be slow to collect it.
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        stat = os.read(file, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(file)
    # The second field is the command in brackets and may hold anything: count from behind it.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[_STATE] in (b"Z", b"X") else int(fields[_START_TICKS])


async def readable(*descriptors: int) -> None:
    """Return when one of them can be read, has come to its end, or is of a process that ended."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    for descriptor in descriptors:
        loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)


async def wait_end(pid: int, ticks: int) -> None:
    """Return when the process with this PID and start time has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Checked after opening: from here on the descriptor cannot mean another process.
        if start_ticks(pid) != ticks:
            return
        await readable(descriptor)
    finally:
        os.close(descriptor)
