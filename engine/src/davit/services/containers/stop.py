"""Stop, kill, and the forced end before a removal."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import msgspec

from davit.errors import Conflict, NotModified, SystemFailure
from davit.model.container import Container, Ended, Status
from davit.services.containers import pause, signals
from davit.services.containers.context import Context, Run

DEFAULT_TIMEOUT = 10
# SIGKILL cannot be refused; a process that outlives it this long is stuck in the kernel.
_KILL_TIMEOUT = 30


async def stop(
    ctx: Context, reference: str, *, signal_name: str = "", timeout: int | None = None
) -> None:
    """Ask a container to end, then make it.

    timeout: seconds before SIGKILL, negative for never; the container's own, or 10, when None.
    Raises NotFound, NotModified when it does not run, InvalidParameter for a bad signal.
    """
    container = ctx.store.get(reference)
    if signal_name:
        signals.parse(signal_name)
    async with ctx.locks(container.id):
        container = ctx.store.get(container.id)
        if container.state.status is Status.RESTARTING:
            await give_up_restart(ctx, container)
        elif container.state.status.is_running:
            await end(ctx, container, signal_name=signal_name, timeout=timeout)
        else:
            raise NotModified(f"container {reference} is not running")
        ctx.announce(container, "stop")


async def end(
    ctx: Context, container: Container, *, signal_name: str = "", timeout: int | None = None
) -> None:
    """End a running container; its lock is held. Returns when it is off its networks."""
    number = signals.parse(signal_name or container.config.stop_signal or "SIGTERM")
    if timeout is None:
        timeout = container.config.stop_timeout
    if timeout is None:
        timeout = DEFAULT_TIMEOUT
    run = ctx.runs[container.id]
    await _mark_stopped(ctx, container.id)
    await _send(ctx, container.id, number)
    try:
        await asyncio.wait_for(run.exited.wait(), None if timeout < 0 else timeout)
    except asyncio.TimeoutError:
        await _send(ctx, container.id, signal.SIGKILL)
        await _wait_killed(container, run)
    await run.left.wait()


async def kill(ctx: Context, reference: str, signal_name: str = "") -> None:
    """Signal a container's init; SIGKILL when no signal is named, and then wait for the end.

    Takes no lock: it must get through while a ``stop`` waits. Raises NotFound, Conflict when the
    container does not run, InvalidParameter.
    """
    container = ctx.store.get(reference)
    number = signals.parse(signal_name or "SIGKILL")
    run = ctx.runs.get(container.id)
    if run is None or not container.state.status.is_running:
        raise Conflict(
            f"Cannot kill container: {reference}: Container {container.id} is not running"
        )
    ends = {signal.SIGKILL, signals.parse(container.config.stop_signal or "SIGTERM")}
    if number in ends:
        await _mark_stopped(ctx, container.id)
    # Told first: the end that follows may be seen before the runtime has returned.
    ctx.announce(container, "kill", signal=str(number))
    await ctx.monitors.kill(container.id, number)
    if number == signal.SIGKILL:
        await _thaw(ctx, container.id)
        await _wait_killed(container, run)


async def force(ctx: Context, container_id: str) -> None:
    """Kill a container if it runs; no error if it does not."""
    container = ctx.store.find(container_id)
    run = ctx.runs.get(container_id)
    if container is None or run is None or not container.state.status.is_running:
        return
    await _mark_stopped(ctx, container_id)
    await _send(ctx, container_id, signal.SIGKILL)
    await _wait_killed(container, run)


async def give_up_restart(ctx: Context, container: Container) -> Container:
    """Let a container that waits for its restart stay exited; its lock is held."""

    def edit(before: Container) -> Container:
        state = msgspec.structs.replace(before.state.to(Status.EXITED), stopped_by_user=True)
        return msgspec.structs.replace(before, state=state)

    container = await ctx.store.change(container.id, edit)
    if container.id in ctx.runs:
        ctx.runs[container.id].given_up.set()
    ctx.waiters.exited(container.id, Ended(exit_code=container.state.exit_code))
    return container


async def _send(ctx: Context, container_id: str, number: int) -> None:
    """Signal a container that may have ended by itself; a paused one is let go on to receive it."""
    ctx.announce(ctx.store.get(container_id), "kill", signal=str(number))
    with contextlib.suppress(Conflict):
        await ctx.monitors.kill(container_id, number)
        await _thaw(ctx, container_id)


async def _thaw(ctx: Context, container_id: str) -> None:
    container = ctx.store.find(container_id)
    if container is not None and container.state.status is Status.PAUSED:
        with contextlib.suppress(Conflict):
            await pause.thaw(ctx, container)


async def _wait_killed(container: Container, run: Run) -> None:
    try:
        await asyncio.wait_for(run.exited.wait(), _KILL_TIMEOUT)
    except asyncio.TimeoutError:
        raise SystemFailure(
            f"container {container.name} outlives SIGKILL: a process of it hangs in the kernel"
        ) from None


async def _mark_stopped(ctx: Context, container_id: str) -> None:
    """Note that a user wants it so, before the signal: the policy must know when it ends."""

    def edit(before: Container) -> Container:
        state = msgspec.structs.replace(before.state, stopped_by_user=True)
        return msgspec.structs.replace(before, state=state)

    await ctx.store.change(container_id, edit)
