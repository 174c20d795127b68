"""The ``local`` volume driver: a directory, or a mount made from ``type``, ``o`` and ``device``.

The options are those of mount(8): ``type=nfs``, ``o=addr=10.0.0.1,rw``, ``device=:/export``; a
directory of this host is ``type=none``, ``o=bind``, ``device=/srv/data``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from davit.errors import InvalidParameter, SystemFailure

_OPTIONS = ("type", "o", "device")
# No volume's name starts with a dot.
_REMOVED = ".removed-"


def check_options(options: Mapping[str, str]) -> None:
    """Raise InvalidParameter for options that this driver does not have."""
    for name in options:
        if name not in _OPTIONS:
            raise InvalidParameter(
                f"invalid option: {name!r}: the local driver knows {', '.join(_OPTIONS)}"
            )
    if options:
        for name in ("type", "device"):
            if not options.get(name):
                raise InvalidParameter(
                    f"missing required option: {name!r}: options {', '.join(sorted(options))} "
                    "describe a mount, which needs a type and a device"
                )


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
        await asyncio.to_thread(shutil.rmtree, hidden, ignore_errors=True)

    async def recover(self, kept: Iterable[str]) -> None:
        """Finish or undo removals that a crash interrupted. kept: names that have a row."""
        await asyncio.to_thread(self._recover, set(kept))

    async def mount(self, name: str, options: Mapping[str, str]) -> None:
        """Mount what the options describe over the volume's directory. Idempotent."""
        target = self.path(name)
        if await asyncio.to_thread(_is_mounted, target):
            return
        argv = ["mount", "-t", options["type"]]
        if options.get("o"):
            argv += ["-o", options["o"]]
        await _run(*argv, options["device"], str(target))

    async def unmount(self, name: str) -> None:
        """Idempotent."""
        target = self.path(name)
        if await asyncio.to_thread(_is_mounted, target):
            await _run("umount", str(target))

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
                shutil.rmtree(entry, ignore_errors=True)
            elif name not in kept:
                # Made, but never acknowledged. Data of unknown origin is left alone.
                with contextlib.suppress(OSError):
                    (entry / "_data").rmdir()
                    entry.rmdir()


def disk_usage(root: Path) -> int:
    """Size of the files below a directory, in bytes, as Docker counts. Blocking.

    A hard-linked file counts once, directories do not count.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    pending = [os.fspath(root)]
    while pending:
        try:
            with os.scandir(pending.pop()) as scan:
                entries = list(scan)
        except FileNotFoundError:
            continue
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(info.st_mode):
                pending.append(entry.path)
            elif info.st_nlink == 1 or (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                total += info.st_size
    return total


def _is_mounted(target: Path) -> bool:
    """Whether something is mounted there; a bind of the same file system counts (proc(5))."""
    mounted = Path("/proc/self/mountinfo").read_bytes().splitlines()
    # Blanks and backslashes are written as octal numbers; volumes' names have neither.
    path = os.fsencode(os.path.realpath(target))
    return any(line.split()[4] == path for line in mounted)


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
