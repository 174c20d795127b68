"""Health checks: a pure state machine, and the task that probes while a container runs.

What is known of a container's health lives in memory: a davitd that starts asks again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

import msgspec

from davit.errors import DavitError
from davit.model import codec, ids, times
from davit.model.config import ContainerConfig, HealthConfig
from davit.model.container import Container, Health, Probe, Status
from davit.model.runtime import ExecLaunch, Exit, Launched
from davit.services.containers.context import Context, Run
from davit.services.containers.needs import Console
from davit.spec import process
from davit.sys import users

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
_DEFAULT_INTERVAL = _DEFAULT_TIMEOUT = 30 * 10**9
_DEFAULT_START_INTERVAL = 5 * 10**9
_DEFAULT_RETRIES = 3
_KEPT_PROBES = 5
_MAX_OUTPUT = 4096
_DEFAULT_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Check:
    """A health check with its defaults filled in; times in ns."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


def check_of(config: ContainerConfig) -> Check | None:
    """Return what is to be run in the container, None when there is no check. Pure."""
    wish = config.healthcheck or HealthConfig()
    kind = wish.test[0] if wish.test else "NONE"
    if kind not in ("CMD", "CMD-SHELL") or len(wish.test) < 2:
        return None
    shell = (*(config.shell or _DEFAULT_SHELL),) if kind == "CMD-SHELL" else ()
    return Check(
        command=(*shell, *wish.test[1:]),
        interval=wish.interval or _DEFAULT_INTERVAL,
        timeout=wish.timeout or _DEFAULT_TIMEOUT,
        start_period=wish.start_period,
        start_interval=wish.start_interval or _DEFAULT_START_INTERVAL,
        retries=wish.retries or _DEFAULT_RETRIES,
    )


def after(health: Health, probe: Probe, check: Check, *, started_at: int) -> Health:
    """Return the health after a probe. Pure.

    One success makes healthy; ``retries`` failures in a row make unhealthy. A failure within the
    start period does not count until a first success has ended that.
    """
    log = [*health.log, probe][-_KEPT_PROBES:]
    if probe.exit_code == 0:
        return Health(status=HEALTHY, failing_streak=0, log=log)
    in_start_period = probe.start - started_at < check.start_period
    if health.status == STARTING and in_start_period:
        return msgspec.structs.replace(health, log=log)
    streak = health.failing_streak + 1
    status = UNHEALTHY if streak >= check.retries else health.status
    return Health(status=status, failing_streak=streak, log=log)


def delay(health: Health, check: Check, *, uptime: int) -> int:
    """Return ns until the next probe. Pure."""
    if health.status == STARTING and uptime < check.start_period:
        return check.start_interval
    return check.interval


def subscribe(ctx: Context, container_id: str, status: str) -> asyncio.Future[Health]:
    """Return what will hold the health as soon as it has such a status; to be cancelled if unused.

    A container that ends, or that has no check, never comes to it.
    """
    future: asyncio.Future[Health] = asyncio.get_running_loop().create_future()
    health = ctx.health.get(container_id)
    if health is not None and health.status == status:
        future.set_result(health)
        return future
    waiting = ctx.health_waiters.setdefault(container_id, [])
    waiting.append((status, future))

    def left(_: object) -> None:
        waiting.remove((status, future))
        if not waiting and ctx.health_waiters.get(container_id) is waiting:
            del ctx.health_waiters[container_id]

    future.add_done_callback(left)
    return future


def watch(ctx: Context, container: Container, run: Run) -> None:
    """Probe a container that has just started, or been adopted, until it ends."""
    check = check_of(container.config)
    ctx.health.pop(container.id, None)
    if check is not None:
        ctx.health[container.id] = Health(status=STARTING)
        ctx.background.spawn(_probe_all(ctx, container, run, check), f"health of {container.id}")


async def _probe_all(ctx: Context, container: Container, run: Run, check: Check) -> None:
    started_at = container.state.started_at
    while True:
        health = ctx.health[container.id]
        pause = delay(health, check, uptime=times.now() - started_at)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(run.exited.wait(), pause / 10**9)
            return
        current = ctx.store.find(container.id)
        if current is None or current.state.status is not Status.RUNNING:
            continue
        probe = await _probe(ctx, current, check)
        if run.exited.is_set() or ctx.runs.get(container.id) is not run:
            return
        ctx.health[container.id] = after(health, probe, check, started_at=started_at)
        if ctx.health[container.id].status != health.status:
            ctx.announce(current, f"health_status: {ctx.health[container.id].status}")
            for status, waiter in ctx.health_waiters.get(container.id, []):
                if status == ctx.health[container.id].status and not waiter.done():
                    waiter.set_result(ctx.health[container.id])


async def _probe(ctx: Context, container: Container, check: Check) -> Probe:
    """Run the check once. What keeps it from running is a failure of the check."""
    start = times.now()
    exec_id = ids.new_id()
    try:
        launched = await _launch(ctx, container, check, exec_id)
        try:
            code, output = await _result(ctx, exec_id, launched, check)
        except asyncio.CancelledError:
            raise  # davitd stops; the next one cleans up when the check has ended.
        except DavitError:
            await ctx.monitors.forget(exec_id)
            raise
        await ctx.monitors.forget(exec_id)
    except DavitError as error:
        code, output = -1, error.message
    return Probe(start=start, end=times.now(), exit_code=code, output=output)


async def _launch(ctx: Context, container: Container, check: Check, exec_id: str) -> Launched:
    def build() -> bytes:
        user = users.resolve(
            ctx.paths.rootfs(container.id), container.config.user, container.host_config.group_add
        )
        return codec.encode(process.for_exec(container, ctx.host, user, check.command))

    return await ctx.monitors.exec(
        ExecLaunch(
            exec_id=exec_id,
            container_id=container.id,
            bundle=str(ctx.paths.bundle(container.id)),
            process=await asyncio.to_thread(build),
            attach=True,
        )
    )


async def _result(ctx: Context, exec_id: str, launched: Launched, check: Check) -> tuple[int, str]:
    """Return the exit code and the beginning of the output; -1 when the check took too long."""
    console = await ctx.monitors.attach(exec_id)

    async def finish() -> tuple[Exit, str]:
        output = await _read(console)
        return await ctx.monitors.wait(exec_id, launched), output

    try:
        end, output = await asyncio.wait_for(finish(), check.timeout / 10**9)
        return end.exit_code, output
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(launched.pid, signal.SIGKILL)
        await ctx.monitors.wait(exec_id, launched)
        return -1, f"Health check exceeded timeout ({check.timeout / 10**9:g}s)"
    finally:
        await console.close()


async def _read(console: Console) -> str:
    """Read to the end; keep the beginning."""
    output = bytearray()
    while (chunk := await console.read()) is not None:
        output += chunk[1][: _MAX_OUTPUT - len(output)]
    return output.decode(errors="replace")
