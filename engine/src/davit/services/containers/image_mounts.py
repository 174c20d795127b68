"""Images mounted in containers (``Mounts`` of type ``image``): read-only, from their layers.

Each is an overlay of its own below the bundle for as long as the container runs. Nothing is written
to it; overlayfs wants a writable layer nevertheless where an image has a single one.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from davit.model.container import Container
from davit.model.idmap import Remap
from davit.services.containers.context import Context
from davit.sys import mount as mounting


async def mount(
    ctx: Context, container: Container, undo: AsyncExitStack, *, remap: Remap | None = None
) -> None:
    """Mount a container's images. remap: the user namespace, None for the host's."""
    for point in container.mounts:
        if point.type == "image":
            target = Path(point.source)
            scratch = ctx.paths.container(container.id) / "images" / target.name
            undo.push_async_callback(ctx.rootfs.unmount, target)
            await ctx.rootfs.mount(
                lower=ctx.images.directories(point.layers),
                upper=scratch / "upper",
                work=scratch / "work",
                target=target,
                remap=remap,
            )


async def unmount(ctx: Context, container_id: str) -> None:
    """Undo :func:`mount`, whoever the container was. Idempotent."""

    def drop() -> None:
        for target in ctx.paths.image_mounts(container_id).glob("*"):
            mounting.unmount(target)

    await asyncio.to_thread(drop)
