"""What a container's writable layer changes: ``docker diff``, and the layer that a commit makes."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from davit.model.container import Container
from davit.model.files import Change, ChangeKind
from davit.services.containers.context import Context

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
    """Pure but for reading. layers: lowest first. left_out: paths that are not told."""
    if not upper.is_dir():
        return []
    return sorted(_Comparison(layers, left_out).below(upper, ""), key=lambda change: change.path)


class _Comparison:
    def __init__(self, layers: Sequence[Path], left_out: frozenset[str]) -> None:
        self._layers = layers
        self._left_out = left_out

    def below(self, directory: Path, path: str) -> Iterator[Change]:
        """Changes in a directory of the upper layer; ``path`` is its own in the container."""
        opaque = _is_opaque(directory)
        here = set()
        for entry in os.scandir(directory):
            here.add(entry.name)
            yield from self._entry(entry, f"{path}/{entry.name}", hidden=opaque)
        if opaque:
            for name in self._lower_names(path) - here:
                yield Change(f"{path}/{name}", ChangeKind.DELETED)

    def _entry(self, entry: os.DirEntry[str], path: str, *, hidden: bool) -> Iterator[Change]:
        if path in self._left_out:
            return
        found = entry.stat(follow_symlinks=False)
        lower = None if hidden else self._lower(path)
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
            yield Change(path, ChangeKind.DELETED)
            return
        if not stat.S_ISDIR(found.st_mode):
            yield Change(path, ChangeKind.MODIFIED if lower else ChangeKind.ADDED)
            return
        inner = list(self.below(Path(entry.path), path))
        if lower is None:
            # A directory that is there only for a place to mount on is none of its own.
            if inner or not any(stub.startswith(f"{path}/") for stub in self._left_out):
                yield Change(path, ChangeKind.ADDED)
        elif inner or not _alike(found, lower):
            yield Change(path, ChangeKind.MODIFIED)
        yield from inner

    def _lower(self, path: str) -> os.stat_result | None:
        """What the image has there, None when a layer has taken it away or none has it."""
        for layer in reversed(self._layers):
            place = layer
            for part in path.strip("/").split("/"):
                place = place / part
                try:
                    found = os.lstat(place)
                except (FileNotFoundError, NotADirectoryError):
                    break
                if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
                    return None
            else:
                return found
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


def _is_opaque(directory: Path) -> bool:
    try:
        return os.getxattr(directory, _OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False
