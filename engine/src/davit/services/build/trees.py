"""Images as directory trees, put together for as long as a step needs them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from davit.model import ids
from davit.model.idmap import Remap
from davit.services.build.needs import Needs
from davit.services.containers import cleanup
from davit.services.containers.changes import compare
from davit.sys.tasks import uncut


@dataclass(frozen=True)
class Tree:
    """root: where it is mounted; upper: the directory that has what was changed."""

    root: Path
    upper: Path
    layers: list[Path]

    def changes(self) -> frozenset[str]:
        """Paths that differ from the layers. Blocking."""
        found = compare(self.upper, self.layers, frozenset())
        return frozenset(change.path for change in found)


@asynccontextmanager
async def mounted(
    needs: Needs, layers: Sequence[str], remap: Remap | None = None
) -> AsyncIterator[Tree]:
    """Mount layers (diff IDs, lowest first) with an empty one above them.

    remap: the user namespace of who is to see them.
    """
    async with above(needs, needs.images.directories(layers), remap) as tree:
        yield tree


@asynccontextmanager
async def above(
    needs: Needs, directories: list[Path], remap: Remap | None = None
) -> AsyncIterator[Tree]:
    """Mount directories, lowest first, with an empty one above them.

    Its paths are those of a container that does not exist, so that the next start of davitd takes
    away what a crash leaves.
    """
    paths, name = needs.paths, ids.new_id()
    undo = AsyncExitStack()
    try:
        undo.push_async_callback(cleanup.remove_tree, paths.container(name))
        undo.push_async_callback(asyncio.to_thread, _remove, paths.bundle(name))
        undo.push_async_callback(needs.rootfs.unmount, paths.rootfs(name))
        await uncut(
            needs.rootfs.mount(
                lower=directories,
                upper=paths.upper(name),
                work=paths.work(name),
                target=paths.rootfs(name),
                remap=remap,
            )
        )
        yield Tree(paths.rootfs(name), paths.upper(name), directories)
    finally:
        await uncut(undo.aclose())


def _remove(bundle: Path) -> None:
    """Never more than empty directories: what is below may still be mounted."""
    for directory in (bundle / "rootfs", bundle):
        with suppress(FileNotFoundError):
            os.rmdir(directory)
