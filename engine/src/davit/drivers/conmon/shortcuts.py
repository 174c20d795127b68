"""Two of runc's verbs without a process: each takes 8 ms as one, and a few system calls do it.

They work on what runc keeps in ``ROOT/ID``: ``exec.fifo``, at which a created container's init
waits, and ``state.json``, which names the container's cgroups (runc: ``libcontainer/
container_linux.go``; the same from 1.0 to 1.3). When anything is not as expected they say so, and
the verb is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import msgspec

from davit.sys import pidfd


class _State(msgspec.Struct, frozen=True):
    """What is needed of ``state.json``."""

    init_process_pid: int
    cgroup_paths: dict[str, str]
    intel_rdt_path: str = ""


async def start(home: Path) -> bool:
    """Let a created container's init become its command; False when runc must be asked.

    The init opens the fifo to write and goes on as soon as somebody reads. It keeps it open until
    execve(2). A signal that it got before that would be for runc, not for the command.
    """
    opened = await asyncio.to_thread(_open, home)
    if opened is None:
        return False
    init, fifo = opened
    try:
        # The init may die instead (out of memory, killed): then runc has the words for it.
        await pidfd.readable(fifo, init)
        if not os.read(fifo, 1):
            return False
        await asyncio.to_thread(os.unlink, home / "exec.fifo")
        await pidfd.readable(fifo, init)
        return True
    except OSError:
        return False
    finally:
        os.close(init)
        os.close(fifo)


def _open(home: Path) -> tuple[int, int] | None:
    """Return descriptors of the init and of its fifo."""
    try:
        # Before the fifo: as soon as that is open, the init may go on, end and be collected.
        init = os.pidfd_open(_read(home).init_process_pid)
    except (OSError, msgspec.MsgspecError):
        return None
    try:
        return init, os.open(home / "exec.fifo", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        os.close(init)
        return None


def delete(home: Path) -> bool:
    """Drop the cgroups and the state of a container that has ended. Blocking.

    False when runc must be asked: some process lives in the cgroups, or they are not plain ones.
    """
    try:
        state = _read(home)
        if state.intel_rdt_path:
            return False
        for path in state.cgroup_paths.values():
            _remove_cgroup(Path(path))
    except (OSError, msgspec.MsgspecError):
        return False
    shutil.rmtree(home)
    return True


def _remove_cgroup(path: Path) -> None:
    """Remove a cgroup and those below it; they hold no files that could be deleted."""
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(path)
        except OSError:
            for entry in os.scandir(path):
                if entry.is_dir(follow_symlinks=False):
                    _remove_cgroup(Path(entry.path))
            os.rmdir(path)


def _read(home: Path) -> _State:
    return msgspec.json.decode((home / "state.json").read_bytes(), type=_State)
