"""New, empty volumes are filled with what the image has at their place."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from davit.model.container import Container
from davit.model.volume import MountPoint
from davit.services.containers.context import Context

_MAX_LINKS = 40


async def fill_volumes(ctx: Context, container: Container, points: Sequence[MountPoint]) -> None:
    """Copy image content into those of ``points`` that are volumes and empty."""
    volumes = [point for point in points if point.type == "volume"]
    if not volumes:
        return
    layers = ctx.images.directories(container.layers)
    wanted = await asyncio.to_thread(
        lambda: [point for point in volumes if _may_have(layers, point.destination)]
    )
    if not wanted:
        return
    scratch = ctx.paths.container(container.id) / "fill"
    async with AsyncExitStack() as undo:
        undo.push_async_callback(
            asyncio.to_thread, shutil.rmtree, ctx.paths.container(container.id), ignore_errors=True
        )
        root = scratch / "root"
        await ctx.rootfs.mount(
            lower=layers, upper=scratch / "upper", work=scratch / "work", target=root
        )
        undo.push_async_callback(ctx.rootfs.unmount, root)
        for point in wanted:
            source = await asyncio.to_thread(resolve_in, root, point.destination)
            if await asyncio.to_thread(source.is_dir):
                await ctx.volumes.fill(point.name, source)


def _may_have(layers: Sequence[Path], path: str) -> bool:
    """Whether some layer has the first part of a path (the rest may lie behind a link)."""
    first = path.strip("/").split("/")[0]
    return any(os.path.lexists(layer / first) for layer in layers)


def resolve_in(root: Path, path: str) -> Path:
    """Return where ``path`` of a container's tree lies on the host; links never lead outside.

    Parts that do not exist are kept as they are. Blocking. Only for trees that no running container
    can change meanwhile.
    """
    done: list[str] = []
    pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, part)
        if not here.is_symlink():
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(f"too many links in {path}")
        target = os.readlink(here)
        if target.startswith("/"):
            done = []
        pending += [piece for piece in reversed(target.split("/")) if piece not in ("", ".")]
    return root.joinpath(*done)
