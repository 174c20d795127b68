"""Take down what a run leaves: namespace, mounts, cgroup, bundle. All of it may be redone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path

from davit.errors import NotFound
from davit.model.container import Container
from davit.services.containers import image_mounts, networks, prepare
from davit.services.containers.context import Context
from davit.sys import trees

logger = logging.getLogger(__name__)


async def after_exit(ctx: Context, container: Container, left: asyncio.Event) -> None:
    """Take everything down; ``left`` is set when the container is off its networks.

    Failures are logged: what stays is found and taken down when davitd starts again.
    """

    async def leave() -> None:
        sandbox = ctx.networks.sandbox(container.id)
        try:
            await _quietly(ctx.networks.leave(container.id), "leave networks", container.id)
        finally:
            left.set()
        for name in sandbox.endpoints if sandbox is not None else ():
            try:
                networks.announce(ctx, container, "disconnect", ctx.networks.resolve(name))
            except NotFound:
                continue

    await asyncio.gather(
        leave(),
        _quietly(
            asyncio.to_thread(prepare.drop_shm, ctx.paths, container.id), "unmount", container.id
        ),
        _quietly(ctx.monitors.forget(container.id), "forget", container.id),
        _quietly(image_mounts.unmount(ctx, container.id), "unmount images", container.id),
        _quietly(ctx.rootfs.unmount(ctx.paths.rootfs(container.id)), "unmount", container.id),
        give_back_volumes(ctx, container),
    )
    await remove_tree(ctx.paths.bundle(container.id))


async def orphan(ctx: Context, container_id: str) -> None:
    """Take down what an interrupted start or clean-up left, whoever the container was."""
    await _quietly(ctx.monitors.forget(container_id), "forget", container_id)
    await _quietly(ctx.networks.leave(container_id), "leave networks", container_id)
    await _quietly(ctx.rootfs.unmount(ctx.paths.rootfs(container_id)), "unmount", container_id)
    await _quietly(
        asyncio.to_thread(prepare.drop_shm, ctx.paths, container_id), "unmount", container_id
    )
    await _quietly(image_mounts.unmount(ctx, container_id), "unmount images", container_id)
    await remove_tree(ctx.paths.bundle(container_id))


async def give_back_volumes(ctx: Context, container: Container) -> None:
    for point in container.mounts:
        if point.type == "volume":
            await _quietly(
                ctx.volumes.unmount(point.name, container.id), "unmount volume", container.id
            )
            ctx.events.publish(
                "volume",
                "unmount",
                point.name,
                {"container": container.id, "driver": point.driver},
            )


async def remove_tree(path: Path) -> None:
    """Delete a directory if it is there; what cannot be deleted is logged."""

    def delete() -> None:
        try:
            trees.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("cannot delete %s: %s", path, error)

    await asyncio.to_thread(delete)


async def _quietly(work: Awaitable[None], what: str, container_id: str) -> None:
    try:
        await work
    except Exception:
        logger.exception("%s: %s failed", container_id, what)
