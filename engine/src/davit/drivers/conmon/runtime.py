"""The OCI runtime's verbs (runc(8); crun takes the same).

``create`` and ``exec`` are not here: conmon runs these.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from davit.drivers.conmon import shortcuts
from davit.errors import Conflict, DavitError, SystemFailure
from davit.sys import process

# What runc and crun say of a container that has ended, or of one that they have never seen.
_NOT_RUNNING = (
    b"container not running",
    b"process already finished",
    b"is not running",
    b"does not exist",
    b"container not paused",
)
_UNKNOWN = (b"does not exist", b"no such file or directory", b"container not running")


class _Features(msgspec.Struct, rename="camel"):
    mount_options: list[str] = []


class Runtime:
    """executable: path or name in PATH. root: where the runtime keeps its state."""

    def __init__(self, executable: str, root: Path) -> None:
        # conmon does not look in PATH.
        self.executable = shutil.which(executable) or executable
        self.root = root
        self._is_runc = Path(self.executable).name == "runc"

    async def mount_options(self) -> frozenset[str]:
        """Return the mount options that it knows, none when it is too old to tell.

        Source: OCI runtime specification, features.md (runc from 1.1).
        """
        try:
            completed = await process.run([self.executable, "features"])
            return frozenset(msgspec.json.decode(completed.stdout, type=_Features).mount_options)
        except (DavitError, OSError, msgspec.DecodeError):
            return frozenset()

    async def start(self, container_id: str) -> None:
        if not (self._is_runc and await shortcuts.start(self.root / container_id)):
            await self._run("start", container_id)

    async def kill(self, container_id: str, signal: int) -> None:
        """Signal the container's init. Raises Conflict when it has none."""
        await self._run("kill", container_id, str(signal))

    async def pause(self, container_id: str) -> None:
        await self._run("pause", container_id)

    async def resume(self, container_id: str) -> None:
        await self._run("resume", container_id)

    async def update(self, container_id: str, resources: Mapping[str, object]) -> None:
        """Set OCI ``linux.resources``; what is not named stays as it is."""
        await self._run(
            "update",
            container_id,
            options=("--resources", "-"),
            stdin=msgspec.json.encode(resources),
        )

    async def delete(self, container_id: str) -> None:
        """Kill what is left of the container and drop its state and cgroup. Idempotent."""
        home = self.root / container_id
        if not await asyncio.to_thread(home.exists):
            return
        if self._is_runc and await asyncio.to_thread(shortcuts.delete, home):
            return
        completed = await process.run(self._argv("delete", "--force", container_id))
        if completed.status and not any(text in completed.stderr for text in _UNKNOWN):
            raise SystemFailure(f"cannot delete container {container_id}: {reason(completed)}")

    async def _run(
        self,
        verb: str,
        container_id: str,
        *arguments: str,
        options: Sequence[str] = (),
        stdin: bytes | None = None,
    ) -> None:
        argv = self._argv(verb, *options, container_id, *arguments)
        completed = await process.run(argv, stdin=stdin)
        if completed.status == 0:
            return
        message = f"cannot {verb} container {container_id}: {reason(completed)}"
        if any(text in completed.stderr for text in _NOT_RUNNING):
            raise Conflict(message)
        raise SystemFailure(message)

    def _argv(self, verb: str, *arguments: str) -> list[str]:
        return [self.executable, "--root", str(self.root), verb, *arguments]


def reason(completed: process.Completed) -> str:
    return readable(completed.reason)


def readable(complaint: str) -> str:
    """Take the message out of the runtime's own log line (``time=… level=error msg="…"``)."""
    line = complaint.strip().splitlines()[-1] if complaint.strip() else complaint
    _, found, rest = line.partition('msg="')
    if not found:
        return line
    return rest.rstrip().removesuffix('"').replace('\\"', '"')
