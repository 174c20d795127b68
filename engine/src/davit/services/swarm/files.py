"""Secrets and configs of a task as files: in memory, and read-only in its container.

Each task has a tmpfs of its own on the host, which its container's binds are from. It is in the
kernel: a davitd that starts again finds it, a host that does has nothing of it left.
Source: tmpfs(5), mount(2).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter, SystemFailure
from davit.model.config import Mount
from davit.model.idmap import IdMap
from davit.services.swarm.expansion import Payloads
from davit.sys import mount
from davit.sys.mountinfo import is_mounted
from davit.sys.tasks import in_thread

_SECRETS = "/run/secrets"
_FLAGS = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
_BLOCK = 4096


@dataclass(frozen=True)
class TaskFile:
    """One file. target: its absolute path in the container, where uid and gid are meant, too."""

    target: str
    uid: int
    gid: int
    mode: int
    data: bytes = field(repr=False)


def targets(spec: pb.ContainerSpec) -> list[str]:
    """Return where the files of a task go, in the order of :func:`collect`."""
    return [target for target, _, _ in _wanted(spec)]


def collect(spec: pb.ContainerSpec, payloads: Payloads) -> list[TaskFile]:
    """Return the files of a task. Raises InvalidParameter, naming what is missing or wrong."""
    found = []
    for target, file, reference in _wanted(spec):
        data = (
            payloads.secret(reference)
            if isinstance(reference, pb.SecretReference)
            else payloads.config(reference)
        )
        owner = []
        for what, text in (("uid", file.uid), ("gid", file.gid)):
            if not (text or "0").isdecimal() or int(text or 0) >= 1 << 32:
                raise InvalidParameter(f"{target}: the {what} {text!r} is not a number")
            owner.append(int(text or 0))
        found.append(TaskFile(target, owner[0], owner[1], file.mode & 0o777, data))
    return found


def _wanted(
    spec: pb.ContainerSpec,
) -> list[tuple[str, pb.FileTarget, pb.SecretReference | pb.ConfigReference]]:
    """What is no file, a config for the runtime, is left out: it is refused where it is used."""
    found: list[tuple[str, pb.FileTarget, pb.SecretReference | pb.ConfigReference]] = []
    for reference in spec.secrets:
        if reference.HasField("file"):
            found.append((os.path.join(_SECRETS, reference.file.name), reference.file, reference))
    for config in spec.configs:
        if config.HasField("file"):
            found.append((os.path.join("/", config.file.name), config.file, config))
    return found


class FileKeeper:
    """Makes and removes the files of tasks. ids: of the containers' user namespace."""

    def __init__(self, root: Path, ids: IdMap | None = None) -> None:
        self._root = root
        self._ids = ids

    def mounts(self, task_id: str, targets: Sequence[str]) -> list[Mount]:
        """Return the binds that bring the files into the container. Pure."""
        return [
            Mount(
                type="bind",
                source=str(self._place(task_id) / str(number)),
                target=target,
                read_only=True,
            )
            for number, target in enumerate(targets)
        ]

    async def are_there(self, task_id: str) -> bool:
        """Whether all files of the task have been made."""
        return await asyncio.to_thread(_is_complete, self._place(task_id))

    async def make(self, task_id: str, files: Sequence[TaskFile]) -> None:
        """Make the files anew. Raises SystemFailure, InvalidParameter for an owner."""
        await in_thread(self._make, self._place(task_id), files)

    async def remove(self, task_id: str) -> None:
        """Take the files away. Idempotent."""
        await in_thread(_remove, self._place(task_id))

    async def all(self) -> list[str]:
        """Return the tasks that have files, or remains of some."""
        return await asyncio.to_thread(
            lambda: sorted(os.listdir(self._root)) if self._root.is_dir() else []
        )

    def _place(self, task_id: str) -> Path:
        if not task_id.isalnum():
            raise InvalidParameter(f"invalid task ID {task_id!r}")
        return self._root / task_id

    def _make(self, place: Path, files: Sequence[TaskFile]) -> None:
        try:
            _remove(place)
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            place.mkdir(mode=0o700)
            blocks = sum(-(-len(file.data) // _BLOCK) for file in files) + 1
            limits = f"mode=0700,size={blocks * _BLOCK},nr_inodes={len(files) + 2}"
            mount.mount("tmpfs", place, "tmpfs", flags=_FLAGS, data=limits)
            for number, file in enumerate(files):
                self._write(place / str(number), file)
            # Also the mark that all is there.
            mount.mount("tmpfs", place, "tmpfs", flags=_FLAGS | mount.MS_REMOUNT | mount.MS_RDONLY)
        except BaseException as error:
            _remove(place)
            if isinstance(error, OSError):
                raise SystemFailure(
                    f"cannot make the files of secrets and configs in {place}: {error.strerror}"
                ) from None
            raise

    def _write(self, path: Path, file: TaskFile) -> None:
        owner = (file.uid, file.gid)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as opened:
            opened.write(file.data)
            os.fchown(descriptor, *(self._ids.outside(*owner) if self._ids else owner))
            # After the owner: a change of that takes bits away.
            os.fchmod(descriptor, file.mode)


def _is_complete(place: Path) -> bool:
    try:
        is_read_only = os.statvfs(place).f_flag & os.ST_RDONLY
    except FileNotFoundError:
        return False
    return bool(is_read_only) and is_mounted(place)


def _remove(place: Path) -> None:
    if place.is_dir():
        mount.unmount(place)
        place.rmdir()
