"""One task for each running container: it waits for the end and does what the policy decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from davit.model.container import Container, Ended, Status
from davit.model.runtime import Exit, Launched
from davit.services.containers import cleanup, policy
from davit.services.containers.context import Context, Run
from davit.services.containers.policy import Decision

FollowUp = Callable[[Context, str, Run, Decision], Awaitable[None]]


def watch(
    ctx: Context, container_id: str, launched: Launched, follow_up: FollowUp, *, delay: int = 0
) -> Run:
    """Follow a container's process; when it has ended and nothing of it is left, ``follow_up``.

    delay: ns that the policy waited before this run.
    """
    run = Run(launched, delay)
    ctx.runs[container_id] = run
    ctx.background.spawn(_follow(ctx, container_id, run, follow_up), f"monitor of {container_id}")
    return run


async def _follow(ctx: Context, container_id: str, run: Run, follow_up: FollowUp) -> None:

    def out_of_memory() -> None:
        ctx.background.spawn(record_oom(ctx, container_id), f"memory kill in {container_id}")

    with ctx.monitors.watch_oom(container_id, out_of_memory):
        end = await ctx.monitors.wait(container_id, run.launched)
    decision = await record_exit(ctx, container_id, end, run.delay)
    run.exited.set()
    container = ctx.store.find(container_id)
    if container is not None:
        await cleanup.after_exit(ctx, container, run.left)
    for callback in ctx.after_exit:
        await callback(container_id)
    run.cleaned.set()
    try:
        await follow_up(ctx, container_id, run, decision)
    finally:
        run.followed.set()


async def record_oom(ctx: Context, container_id: str) -> None:
    """Write down that the kernel killed in a container for want of memory, and tell it."""
    container = ctx.store.find(container_id)
    if container is None or not container.state.status.is_running:
        return  # Its end has told it.

    def edit(before: Container) -> Container:
        state = msgspec.structs.replace(before.state, oom_killed=True)
        return msgspec.structs.replace(before, state=state)

    # Told first, and without waiting for the disk: an end that follows at once finds it told.
    ctx.announce(container, "oom")
    if not container.state.oom_killed:
        await ctx.store.change(container_id, edit)


async def record_exit(ctx: Context, container_id: str, end: Exit, delay: int) -> Decision:
    """Write down how a process ended and tell it; return what the policy says to that."""
    container = ctx.store.find(container_id)
    if container is None:
        return Decision()
    state = container.state
    # The exit's time is a file's, from the kernel's coarse clock: some ms behind.
    finished_at = max(end.finished_at, state.started_at)
    uptime = finished_at - state.started_at
    decision = policy.decide(
        container.host_config,
        exit_code=end.exit_code,
        stopped_by_user=state.stopped_by_user,
        uptime=uptime,
        restarts=state.restart_count,
        last_delay=delay,
    )

    def edit(before: Container) -> Container:
        status = Status.RESTARTING if decision.restart else Status.EXITED
        after = msgspec.structs.replace(
            before.state.to(status),
            pid=0,
            conmon_pid=0,
            start_ticks=0,
            exit_code=end.exit_code,
            error=end.error,
            oom_killed=end.oom_killed or before.state.oom_killed,
            finished_at=finished_at,
        )
        return msgspec.structs.replace(before, state=after)

    await ctx.store.change(container_id, edit)
    if end.oom_killed and not state.oom_killed:
        ctx.announce(container, "oom")
    ctx.announce(container, "die", exitCode=str(end.exit_code), execDuration=str(uptime // 10**9))
    ctx.waiters.exited(container_id, Ended(exit_code=end.exit_code))
    return decision
