"""Pause and unpause: the cgroup's freezer."""

from __future__ import annotations

import msgspec

from davit.errors import Conflict
from davit.model.container import Container, Status
from davit.services.containers.context import Context


async def pause(ctx: Context, reference: str) -> None:
    """Freeze a running container. Raises NotFound, Conflict."""
    container_id = ctx.store.get(reference).id
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.state.status is Status.PAUSED:
            raise Conflict(f"Container {container.id} is already paused")
        if container.state.status is not Status.RUNNING:
            raise Conflict(f"Container {container.id} is not running")
        await ctx.monitors.pause(container_id)
        await _move(ctx, container_id, Status.PAUSED)
        ctx.announce(container, "pause")


async def unpause(ctx: Context, reference: str) -> None:
    """Let a paused container go on. Raises NotFound, Conflict."""
    container_id = ctx.store.get(reference).id
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.state.status is not Status.PAUSED:
            raise Conflict(f"Container {container.id} is not paused")
        await ctx.monitors.resume(container_id)
        await _move(ctx, container_id, Status.RUNNING)
        ctx.announce(container, "unpause")


async def _move(ctx: Context, container_id: str, status: Status) -> None:
    def edit(before: Container) -> Container:
        return msgspec.structs.replace(before, state=before.state.to(status))

    await ctx.store.change(container_id, edit)
