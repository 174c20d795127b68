"""The union mount of a container's layers. Source: kernel, filesystems/overlayfs.rst."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from davit.errors import SystemFailure, Unavailable
from davit.model.idmap import Remap
from davit.sys import mount, userns

# mount(2) takes one page of options, with its closing null.
_MOST_OPTIONS = os.sysconf("SC_PAGE_SIZE") - 1
# Kernels are built with different defaults. Without these the upper directory holds every changed
# file whole and under its own name, and one that a lazy unmount still holds can be mounted again.
_OPTIONS = "index=off,redirect_dir=off,metacopy=off"


class OverlayRootfs:
    """Mounts take well under a millisecond; they are done in a thread nevertheless, because the
    layers' disk may be slow.

    scratch: a directory for what is mounted only while the overlay is.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def check(self, data_root: Path) -> None:
        """Raise Unavailable when layers under ``data_root`` cannot be mounted."""
        if mount.filesystem(data_root) == mount.OVERLAYFS_SUPER_MAGIC:
            raise Unavailable(
                f"the data root {data_root} lies on overlayfs, which does not stack: put "
                "--data-root on a volume or on another file system"
            )

    async def mount(
        self,
        *,
        lower: Sequence[Path],
        upper: Path,
        work: Path,
        target: Path,
        remap: Remap | None = None,
    ) -> None:
        """Mount; ``lower`` is ordered lowest first. Makes upper, work and target.

        remap: whose IDs the files have in the mount; on disk they have those inside the namespace.
        upper and work are then in one directory.
        Raises SystemFailure with what is wrong, Unavailable when the kernel has no overlayfs.
        """
        if remap is None:
            await asyncio.to_thread(_mount, lower, upper, work, target)
        else:
            await asyncio.to_thread(self._mount_remapped, remap, lower, upper, work, target)

    async def unmount(self, target: Path) -> None:
        """Unmount, lazily when it must be. Idempotent."""
        await asyncio.to_thread(mount.unmount, target)

    def _mount_remapped(
        self, remap: Remap, lower: Sequence[Path], upper: Path, work: Path, target: Path
    ) -> None:
        _make(upper, work, target)
        places = [*(lower or [target]), upper.parent]
        with (
            userns.idmapped(places, Path(remap.userns), self._scratch) as mapped,
            userns.filesystem_ids(*remap.ids.root),
        ):
            top = mapped.pop()
            _mount(mapped, top / upper.name, top / work.name, target)


def _make(*directories: Path) -> None:
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)


def _mount(lower: Sequence[Path], upper: Path, work: Path, target: Path) -> None:
    _make(upper, work, target)
    # An image without layers still needs a lower directory: the empty one that is mounted over.
    top_first = list(reversed(lower)) or [target]
    options = (
        f"{_OPTIONS},lowerdir={':'.join(_escape(path, ',:') for path in top_first)},"
        f"upperdir={_escape(upper, ',')},workdir={_escape(work, ',')}"
    )
    if len(os.fsencode(options)) > _MOST_OPTIONS:
        raise SystemFailure(
            f"cannot mount {target}: the paths of its {len(lower)} layers take more than the "
            f"{_MOST_OPTIONS} bytes that mount(2) accepts: use a shorter --data-root, or an image "
            "with fewer layers"
        )
    try:
        mount.mount("overlay", target, "overlay", data=options)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise Unavailable("this kernel has no overlayfs: load the module overlay") from None
        raise SystemFailure(
            f"cannot mount {target}: {error.strerror} (overlayfs of {len(lower)} layers, upper "
            f"directory {upper}); the kernel's log (dmesg) tells more"
        ) from None


def _escape(path: Path, special: str) -> str:
    """Put a backslash before what would end a path among the options."""
    return "".join(f"\\{char}" if char in f"\\{special}" else char for char in str(path))
