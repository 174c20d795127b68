"""Directories of volumes, and what their options mount over them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from davit.drivers.volume import options as volume_options
from davit.drivers.volume.options import MountPlan
from davit.drivers.volume.usage import disk_usage
from davit.errors import SystemFailure
from davit.sys import mount, trees
from davit.sys.mountinfo import is_mounted
from davit.sys.tasks import uncut

# No volume's name starts with a dot.
_REMOVED = ".removed-"


class LocalVolumes:
    """Volumes under one root: ``ROOT/NAME/_data``."""

    name = "local"

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, name: str) -> Path:
        """The directory that the volume's users see."""
        return self._root / name / "_data"

    async def create(self, name: str) -> None:
        """Make the directory. Idempotent."""
        await asyncio.to_thread(self._create, name)

    async def hide(self, name: str) -> None:
        """Take a volume away, to be deleted by :meth:`delete` or put back by :meth:`recover`."""
        await asyncio.to_thread(self._hide, name)

    async def delete(self, name: str) -> None:
        """Delete the data of a hidden volume."""
        hidden = self._root / f"{_REMOVED}{name}"
        await asyncio.to_thread(_delete, hidden)

    async def recover(self, kept: Iterable[str]) -> None:
        """Finish or undo removals that a crash interrupted. kept: names that have a row."""
        await asyncio.to_thread(self._recover, set(kept))

    async def mount(self, name: str, options: Mapping[str, str]) -> None:
        """Mount what the options describe over the volume's directory. Idempotent.

        Raises SystemFailure. A server that does not answer keeps it waiting.
        """
        await uncut(asyncio.to_thread(_mount, name, self.path(name), options))

    async def unmount(self, name: str) -> None:
        """Idempotent."""
        await uncut(asyncio.to_thread(_unmount, self.path(name)))

    async def size(self, name: str) -> int:
        """Bytes that the volume's files take on disk."""
        return await asyncio.to_thread(disk_usage, self.path(name))

    async def is_empty(self, name: str) -> bool:
        return not await asyncio.to_thread(os.listdir, self.path(name))

    async def fill(self, name: str, source: Path) -> None:
        """Copy a directory's content, with all attributes and the directory's own, into it."""
        await _run("cp", "-a", "--reflink=auto", f"{source}/.", f"{self.path(name)}/")

    def _create(self, name: str) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o711)
        data = self.path(name)
        data.parent.mkdir(exist_ok=True, mode=0o711)
        with contextlib.suppress(FileExistsError):
            data.mkdir()
            data.chmod(0o755)

    def _hide(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._root / name).rename(self._root / f"{_REMOVED}{name}")

    def _recover(self, kept: Container[str]) -> None:
        if not self._root.is_dir():
            return
        for entry in list(self._root.iterdir()):
            name = entry.name.removeprefix(_REMOVED)
            if entry.name.startswith(_REMOVED) and name in kept:
                entry.rename(self._root / name)
            elif entry.name.startswith(_REMOVED):
                _delete(entry)
            elif name not in kept:
                # Made, but never acknowledged. Data of unknown origin is left alone.
                with contextlib.suppress(OSError):
                    (entry / "_data").rmdir()
                    entry.rmdir()


def _mount(name: str, target: Path, options: Mapping[str, str]) -> None:
    if is_mounted(target):
        return
    try:
        plan = volume_options.plan(options, _resolve)
    except socket.gaierror as error:
        raise SystemFailure(
            f"error while mounting volume '{target}': error resolving passed in network volume "
            f"address: {error.strerror}: volume {name}, o={options.get('o', '')}, "
            f"device={options['device']}"
        ) from None
    try:
        _carry_out(plan, target)
    except OSError as error:
        raise SystemFailure(
            f"error while mounting volume '{target}': failed to mount local volume: mount {plan}: "
            f"{(error.strerror or '').lower()}: {_hint(error, name, plan)}"
        ) from None


def _carry_out(plan: MountPlan, target: Path) -> None:
    mount.mount(plan.source, target, plan.kind, flags=plan.flags, data=plan.data)
    try:
        if plan.propagation:
            mount.mount("", target, "", flags=plan.propagation)
        if plan.flags & mount.MS_BIND and plan.flags & ~(mount.MS_BIND | mount.MS_REC):
            # A bind takes flags of its own in a second step only.
            mount.mount("", target, "", flags=plan.flags & ~mount.MS_REC | mount.MS_REMOUNT)
    except OSError:
        mount.unmount(target)
        raise


def _unmount(target: Path) -> None:
    # All of it: what stayed would be taken for the volume's own data when that is deleted.
    while is_mounted(target):
        mount.unmount(target)


def _hint(error: OSError, name: str, plan: MountPlan) -> str:
    if error.errno == errno.ENODEV:
        return f'option "type" of volume {name}: this kernel has no file system {plan.kind}'
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENOTBLK, errno.ENXIO):
        return f'option "device" of volume {name}: see whether {plan.source} is there'
    if error.errno == errno.EINVAL:
        return f'option "o" of volume {name}: see what {plan.kind} takes, and dmesg'
    return f"see the options of volume {name}"


def _resolve(host: str) -> str:
    """An address of a host, version 4 before 6, as Docker's resolver has it."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        words = errors.decode(errors="replace").strip()
        raise SystemFailure(f"{' '.join(argv)} failed: {words or f'exit {process.returncode}'}")


def _delete(hidden: Path) -> None:
    # What cannot go now goes at the next start.
    with contextlib.suppress(OSError):
        trees.remove(hidden)
