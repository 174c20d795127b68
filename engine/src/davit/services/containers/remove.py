"""Remove and prune. The row goes first; files are deleted after the answer."""

from __future__ import annotations

import asyncio
import logging

from davit.drivers.volume.usage import disk_usage
from davit.errors import Conflict, DavitError, NotFound
from davit.model.container import Container, Ended, Status
from davit.model.filters import Filters
from davit.services.containers import cleanup, stop
from davit.services.containers.context import Context, Run

logger = logging.getLogger(__name__)

PRUNE_FILTERS = ("until", "label", "label!")


async def remove(
    ctx: Context, reference: str, *, force: bool = False, volumes: bool = False
) -> None:
    """Remove a container, with its anonymous volumes if ``volumes``; ``force`` kills it first.

    Raises NotFound; Conflict when it is running.
    """
    container = ctx.store.get(reference)
    if force:
        await stop.force(ctx, container.id)
    async with ctx.locks(container.id):
        found = ctx.store.find(container.id)
        if found is None:
            # Its own auto-removal or another request was faster: it is gone, as was wanted.
            return
        if found.state.status is Status.RESTARTING and force:
            found = await stop.give_up_restart(ctx, found)
        _check_removable(found)
        await delete(ctx, found, volumes=volumes)


async def delete(ctx: Context, container: Container, *, volumes: bool) -> None:
    """Remove a container that does not run; its lock is held."""
    container.state.to(Status.REMOVING)
    run = ctx.runs.pop(container.id, None)
    ctx.health.pop(container.id, None)
    if run is not None:
        # Addresses, host ports and the name are free when the answer goes out.
        await run.left.wait()
    await ctx.store.remove(container.id)
    if volumes:
        await _remove_anonymous_volumes(ctx, container)
    ctx.announce(container, "destroy")
    ctx.waiters.removed(container.id, Ended(exit_code=container.state.exit_code))
    ctx.background.spawn(_delete_files(ctx, container, run), f"removal of {container.id}")


async def prune(ctx: Context, filters: Filters) -> tuple[list[str], int]:
    """Remove every stopped container that passes; return their IDs and the bytes gained."""
    until = filters.until()
    removed: list[str] = []
    gained = 0
    for container in ctx.store.all():
        labels = container.config.labels
        if (
            container.state.status not in (Status.CREATED, Status.EXITED, Status.DEAD)
            or (until is not None and container.created >= until)
            or not filters.accepts_labels(labels)
            or filters.rejects_labels(labels)
        ):
            continue
        size = await asyncio.to_thread(disk_usage, ctx.paths.upper(container.id))
        try:
            await remove(ctx, container.id)
        except DavitError as error:
            logger.info("prune leaves %s: %s", container.id, error.message)
            continue
        removed.append(container.id)
        gained += size
    ctx.events.publish("container", "prune", "", {"reclaimed": str(gained)})
    return removed, gained


def _check_removable(container: Container) -> None:
    status = container.state.status
    if status is Status.PAUSED:
        raise Conflict(
            f'cannot remove container "/{container.name}": container is paused and must be '
            "unpaused first"
        )
    if status in (Status.RUNNING, Status.RESTARTING):
        raise Conflict(
            f'cannot remove container "/{container.name}": container is {status.value}: stop the '
            "container before removing or force remove"
        )


async def _remove_anonymous_volumes(ctx: Context, container: Container) -> None:
    for point in container.mounts:
        volume = ctx.volumes.find(point.name) if point.anonymous else None
        if volume is None:
            continue
        try:
            await ctx.volumes.remove(volume.name, force=True)
        except Conflict:
            logger.info("volume %s is kept: another container has it", volume.name)
        except DavitError as error:
            logger.error("volume %s is left behind: %s", volume.name, error.message)


async def _delete_files(ctx: Context, container: Container, run: Run | None) -> None:
    if run is not None:
        await run.cleaned.wait()
    await cleanup.remove_tree(ctx.paths.container(container.id))
    try:
        for image_id in container.images:
            ctx.images.resolve(image_id)
    except NotFound:
        # An image was removed by force while the container held the layers.
        await ctx.images.sweep(container.held_layers)
