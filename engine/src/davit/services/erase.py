"""Taking an instance off the machine: what a reboot would do, and its data if wanted.

Works on the kernel's own lists (runtime state, mounts, processes, cgroups) and not on davit's rows,
so that it also clears up after a damaged data root.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from davit.config import Settings
from davit.errors import DavitError
from davit.store.paths import Paths
from davit.sys import mount, pidfd, trees

logger = logging.getLogger(__name__)

_CGROUPS = Path("/sys/fs/cgroup")


class Runtimes(Protocol):
    async def delete(self, container_id: str) -> None:
        """Kill what is left of the container and drop its state and cgroup."""
        ...


class Networks(Protocol):
    async def erase(self) -> None:
        """Remove every kernel object of this daemon."""
        ...


async def erase(
    settings: Settings, paths: Paths, runtimes: Runtimes, networks: Networks, *, data: bool
) -> None:
    """End all containers and remove every kernel object of this instance.

    The run root goes, too. data: remove the data root with all images, volumes and containers;
    otherwise davitd finds its containers stopped when it starts again.
    """
    for state in await asyncio.to_thread(_entries, paths.runtime_root):
        try:
            await runtimes.delete(state.name)
        except DavitError as error:
            logger.error("%s", error.message)
    await _end_monitors(paths.run)
    for target in await asyncio.to_thread(_mounts_below, (paths.run, paths.data)):
        await asyncio.to_thread(_unmount, target)
    await networks.erase()
    await asyncio.to_thread(_remove_cgroups, f"davit-{settings.instance}")
    await asyncio.to_thread(shutil.rmtree, paths.run, ignore_errors=True)
    if data:
        await asyncio.to_thread(_delete, paths.data)


async def _end_monitors(run: Path) -> None:
    """Kill the monitors that work below ``run`` and wait for their end."""
    monitors = await asyncio.to_thread(lambda: list(_processes_with(f"{run}/")))
    for pid, _ in monitors:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*(pidfd.wait_end(pid, ticks) for pid, ticks in monitors))


def _processes_with(prefix: str) -> Iterator[tuple[int, int]]:
    """Yield process ID and start time of conmons that have an argument with this prefix."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        ticks = pidfd.start_ticks(int(entry.name))
        is_monitor = "conmon" in Path(arguments[0]).name
        if is_monitor and ticks and any(text.startswith(prefix) for text in arguments):
            yield int(entry.name), ticks


def _mounts_below(roots: tuple[Path, ...]) -> list[Path]:
    """Return mount points below the roots, innermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # proc(5): spaces and the like are written as octal escapes.
        target = Path(line.split()[4].encode().decode("unicode_escape"))
        if any(root in target.parents for root in roots):
            found.append(target)
    return found[::-1]


def _unmount(target: Path) -> None:
    try:
        mount.unmount(target)
    except OSError as error:
        logger.error("cannot unmount %s: %s", target, error.strerror)


def _remove_cgroups(name: str) -> None:
    for top in (_CGROUPS / name, *_CGROUPS.glob(f"*/{name}")):
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError as error:
                logger.error("cannot remove cgroup %s: %s", directory, error.strerror)


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _delete(data: Path) -> None:
    try:
        trees.remove(data)
    except OSError:  # a mount point, say: all that is in it goes
        shutil.rmtree(data, ignore_errors=True)
