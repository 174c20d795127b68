"""Pause and unpause: the cgroup's freezer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from davit.errors import Conflict
from davit.model.container import Container, State, Status
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
        await _change(ctx, container_id, lambda state: state.to(Status.PAUSED))
        ctx.announce(container, "pause")


async def unpause(ctx: Context, reference: str) -> None:
    """Let a paused container go on. Raises NotFound, Conflict."""
    container_id = ctx.store.get(reference).id
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.state.status is not Status.PAUSED:
            raise Conflict(f"Container {container.id} is not paused")
        await thaw(ctx, container)


async def thaw(ctx: Context, container: Container) -> None:
    """Let a paused container go on; its lock is held. Raises Conflict when it ends by that."""
    await ctx.monitors.resume(container.id)
    await _change(ctx, container.id, State.thawed)
    ctx.announce(container, "unpause")


async def _change(ctx: Context, container_id: str, move: Callable[[State], State]) -> None:
    def edit(before: Container) -> Container:
        return msgspec.structs.replace(before, state=move(before.state))

    await ctx.store.change(container_id, edit)
