"""Restart: end a container if it runs, then start it."""

from __future__ import annotations

from davit.model.container import Status
from davit.services.containers import signals, start, stop
from davit.services.containers.context import Context


async def restart(
    ctx: Context, reference: str, *, signal_name: str = "", timeout: int | None = None
) -> None:
    """Options as of ``stop``. Auto-removal does not act in between. Raises as ``start`` does."""
    container_id = ctx.store.get(reference).id
    if signal_name:
        signals.parse(signal_name)
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.state.status is Status.RESTARTING:
            container = await stop.give_up_restart(ctx, container)
        elif container.state.status.is_running:
            await stop.end(ctx, container, signal_name=signal_name, timeout=timeout)
            ctx.announce(container, "stop")
        await start.run(ctx, ctx.store.get(container_id))
        ctx.announce(container, "restart")
