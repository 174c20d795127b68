"""What a container's writable layer changes: ``docker diff``, and the layer that a commit makes."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat
from collections.abc import Sequence
from pathlib import Path

from davit.model.container import Container
from davit.model.files import Change, ChangeKind
from davit.services.containers.context import Context
from davit.sys import inside

# Made by the OCI runtime as places to mount on, and by davit for every container.
_STUBS = (
    "/.dockerenv",
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/proc",
    "/sys",
)
_OPAQUE = "trusted.overlay.opaque"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# What a directory may be when it is its turn: removed, replaced by a file or a link, or nested
# deeper than a path can tell.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


async def changes(ctx: Context, reference: str) -> list[Change]:
    """Compare with the image, sorted by path. Raises NotFound.

    A directory that only has changes in it is told as modified, as Docker does.
    """
    container = ctx.store.get(reference)
    upper = ctx.paths.upper(container.id)
    layers = ctx.images.directories(container.layers)
    return await asyncio.to_thread(lambda: compare(upper, layers, stubs(container)))


def stubs(container: Container) -> frozenset[str]:
    """Paths that come from starting a container, not from what runs in it."""
    mounted = {point.destination.rstrip("/") for point in container.mounts}
    tmpfs = {path.rstrip("/") for path in container.host_config.tmpfs}
    return frozenset({*_STUBS, *mounted, *tmpfs})


def compare(upper: Path, layers: Sequence[Path], left_out: frozenset[str]) -> list[Change]:
    """Pure but for reading. layers: lowest first. left_out: paths that are not told.

    The container may run meanwhile: no link of its tree is followed.
    """
    if not upper.is_dir():
        return []
    found = _Comparison(layers, left_out).run(upper)
    return [Change(path, found[path]) for path in sorted(found)]


class _Comparison:
    def __init__(self, layers: Sequence[Path], left_out: frozenset[str]) -> None:
        self._layers = layers
        self._left_out = left_out
        self._found: dict[str, ChangeKind] = {}
        # Directories with changes in them, and all directories with what they are in the image.
        self._parents: set[str] = set()
        self._directories: dict[str, tuple[os.stat_result, os.stat_result | None]] = {}

    def run(self, upper: Path) -> dict[str, ChangeKind]:
        top = os.open(upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            pending = [""]
            while pending:
                pending += self._below(top, pending.pop())
        finally:
            os.close(top)
        for path in sorted(self._directories, reverse=True):  # what is below comes first
            self._directory(path, *self._directories[path])
        return self._found

    def _below(self, top: int, path: str) -> list[str]:
        """Look at a directory of the upper layer; return the ones in it."""
        try:
            descriptor = inside.open_without_links(top, path, _DIRECTORY)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            return []
        try:
            opaque = _is_opaque(descriptor)
            with os.scandir(descriptor) as scan:
                names = {entry.name: _status(entry) for entry in scan}
        finally:
            os.close(descriptor)
        directories = []
        for name, found in names.items():
            here = f"{path}/{name}"
            if here in self._left_out or found is None:
                continue
            lower = None if opaque else self._lower(here)
            if stat.S_ISDIR(found.st_mode):
                self._directories[here] = (found, lower)
                directories.append(here)
            elif _is_whiteout(found):
                self._tell(here, ChangeKind.DELETED)
            else:
                self._tell(here, ChangeKind.MODIFIED if lower else ChangeKind.ADDED)
        if opaque:
            for name in self._lower_names(path) - names.keys():
                self._tell(f"{path}/{name}", ChangeKind.DELETED)
        return directories

    def _directory(self, path: str, found: os.stat_result, lower: os.stat_result | None) -> None:
        inner = path in self._parents
        if lower is None:
            # A directory that is there only for a place to mount on is none of its own.
            if inner or not any(stub.startswith(f"{path}/") for stub in self._left_out):
                self._tell(path, ChangeKind.ADDED)
        elif inner or not _alike(found, lower):
            self._tell(path, ChangeKind.MODIFIED)

    def _tell(self, path: str, kind: ChangeKind) -> None:
        self._found[path] = kind
        self._parents.add(posixpath.dirname(path))

    def _lower(self, path: str) -> os.stat_result | None:
        """What the image has there, None when a layer has taken it away or none has it."""
        parts = path.strip("/").split("/")
        for layer in reversed(self._layers):
            place = layer
            for number, part in enumerate(parts, 1):
                place = place / part
                try:
                    found = os.lstat(place)
                except FileNotFoundError:
                    break
                if number == len(parts):
                    return None if _is_whiteout(found) else found
                if not stat.S_ISDIR(found.st_mode):
                    return None  # it hides the directories of the layers below
            if self._hides(layer, path):
                return None
        return None

    @staticmethod
    def _hides(layer: Path, path: str) -> bool:
        """Whether an opaque directory of this layer lies above a path that it does not have."""
        place = layer
        for part in path.strip("/").split("/")[:-1]:
            place = place / part
            if not place.is_dir() or place.is_symlink():
                return False
            if _is_opaque(place):
                return True
        return False

    def _lower_names(self, path: str) -> set[str]:
        names: set[str] = set()
        for layer in self._layers:
            place = layer / path.strip("/")
            if place.is_dir():
                names.update(os.listdir(place))
        return {name for name in names if self._lower(f"{path}/{name}") is not None}


def _alike(found: os.stat_result, lower: os.stat_result) -> bool:
    """Whether two directories are the same but for what is in them."""
    fields = ("st_mode", "st_uid", "st_gid")
    return all(getattr(found, name) == getattr(lower, name) for name in fields)


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _is_opaque(directory: Path | int) -> bool:
    try:
        return os.getxattr(directory, _OPAQUE) == b"y"
    except OSError:
        return False
