"""Device nodes of the host, as containers get them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from davit.errors import InvalidParameter
from davit.model.host import HostDevice

DEV = Path("/dev")
# Mount points of their own in a container, or things that only mean something to the host.
_SKIPPED = frozenset({"pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc", ".lxd-mounts"})


def nodes(path: str) -> list[HostDevice]:
    """Return the node at a path; all below it when it is a directory. Blocking.

    A link is followed: the node keeps the path that was asked for. Raises InvalidParameter with
    Docker's words when there is no device.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise _missing(path, error.strerror or "not there") from None
    if stat.S_ISDIR(status.st_mode):
        found = list(_below(Path(path)))
        if not found:
            raise _missing(path, "no device node in this directory")
        return found
    device = _device(path, status)
    if device is None:
        raise _missing(path, "not a device node")
    return [device]


def all_nodes() -> list[HostDevice]:
    """Return every node of ``/dev``, for privileged containers. Blocking."""
    return list(_below(DEV))


def _below(directory: Path) -> Iterator[HostDevice]:
    """Yield nodes; links are not followed, and mounts below ``/dev`` are not entered."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if directory == DEV and entry.name in _SKIPPED:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path))
                continue
            device = _device(entry.path, entry.stat(follow_symlinks=False))
        except FileNotFoundError:  # unplugged meanwhile
            continue
        if device is not None:
            yield device


def _device(path: str, status: os.stat_result) -> HostDevice | None:
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    return HostDevice(
        path=path,
        kind=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _missing(path: str, why: str) -> InvalidParameter:
    return InvalidParameter(
        f'error gathering device information while adding custom device "{path}": {why}'
    )
