"""The mount of a container's layers, with what every container finds in its root."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from davit.model.container import Container
from davit.model.idmap import Remap
from davit.services.containers.context import Context

# Programs look for it to learn that they are in a container. Docker's is executable, and empty.
_MARK = ".dockerenv"


async def mount(ctx: Context, container: Container, *, remap: Remap | None = None) -> None:
    """Mount a container's layers at its root file system's place in the bundle.

    remap: the user namespace, None for the host's. Raises SystemFailure, Unavailable.
    """
    paths = ctx.paths
    upper, work = paths.upper(container.id), paths.work(container.id)
    await asyncio.to_thread(_mark, upper, work)
    await ctx.rootfs.mount(
        lower=ctx.images.directories(container.layers),
        upper=upper,
        work=work,
        target=paths.rootfs(container.id),
        remap=remap,
    )


def _mark(upper: Path, work: Path) -> None:
    """Begin the writable layer. What the container does to the mark later is its own affair."""
    if work.exists():
        return
    upper.mkdir(parents=True, exist_ok=True)
    mark = os.open(upper / _MARK, os.O_CREAT | os.O_CLOEXEC, 0o755)
    os.fchmod(mark, 0o755)
    os.close(mark)
