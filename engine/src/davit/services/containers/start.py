"""Start: layers, namespace, files and process; networks are joined while the runtime creates.

Every step pushes its undo, so that a failed start leaves nothing but the reason in the row.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from davit.errors import DavitError, NotFound, NotModified
from davit.model import log_options, times
from davit.model.container import Container, Ended, Status
from davit.model.network import Sandbox
from davit.model.runtime import BAD_COMMAND, Launch, Launched
from davit.services.containers import (
    cleanup,
    health,
    image_mounts,
    links,
    merge,
    monitor,
    networks,
    prepare,
    remapping,
    remove,
    rootfs,
    validate,
)
from davit.services.containers.context import Context, Run
from davit.services.containers.files import Files
from davit.services.containers.policy import Decision

logger = logging.getLogger(__name__)

_FAILED = 128


async def start(ctx: Context, reference: str) -> None:
    """Start a container. Raises NotFound, NotModified when it runs, Conflict, and what failed."""
    container_id = ctx.store.get(reference).id
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        status = container.state.status
        if status is Status.PAUSED:
            # Words and status of the Engine API: a paused container runs, so nothing is to do.
            raise NotModified(f"container {reference} is paused: unpause it")
        if status in (Status.RUNNING, Status.RESTARTING):
            raise NotModified(f"container {reference} is running already")
        try:
            await run(ctx, container)
        except BaseException:
            if container.host_config.auto_remove:
                await remove.delete(ctx, ctx.store.get(container_id), volumes=True)
            raise


async def run(ctx: Context, container: Container, *, delay: int | None = None) -> None:
    """Start a container whose lock is held.

    delay: ns that the restart policy waited, None when it is not the policy that starts it.
    """
    previous = ctx.runs.get(container.id)
    if previous is not None:
        await previous.cleaned.wait()
    try:
        async with AsyncExitStack() as undo:
            launched = await _launch(ctx, container, undo)
            started_at = times.now()
            await ctx.monitors.start(container.id)
            await _record_start(
                ctx, container.id, launched, started_at, by_policy=delay is not None
            )
            undo.pop_all()
    except BaseException as error:
        await _record_failure(ctx, container.id, error)
        raise
    follow(ctx, container.id, launched, delay=delay or 0)
    await links.follow(ctx, container)
    ctx.announce(container, "start")


def follow(ctx: Context, container_id: str, launched: Launched, *, delay: int = 0) -> Run:
    """Watch over a container that runs: its end, its health."""
    run_ = monitor.watch(ctx, container_id, launched, follow_up, delay=delay)
    for callback in ctx.followers:
        callback(ctx.store.get(container_id), run_)
    health.watch(ctx, ctx.store.get(container_id), run_)
    return run_


async def follow_up(ctx: Context, container_id: str, run_: Run, decision: Decision) -> None:
    """Restart or remove after an end, unless somebody did something else meanwhile."""
    if decision.restart:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(run_.given_up.wait(), decision.delay / 10**9)
            return
        restarting = ctx.store.find(container_id)
        if restarting is not None:
            await links.settle(ctx, restarting)
    elif not decision.remove:
        return
    async with ctx.locks(container_id):
        container = ctx.store.find(container_id)
        if container is None or ctx.runs.get(container_id) is not run_:
            return
        status = container.state.status
        try:
            if decision.remove and status is Status.EXITED:
                await remove.delete(ctx, container, volumes=True)
            elif decision.restart and status is Status.RESTARTING:
                await run(ctx, container, delay=decision.delay)
        except DavitError as error:
            logger.error("%s: %s", container.name, error.message)


async def _launch(ctx: Context, container: Container, undo: AsyncExitStack) -> Launched:
    """Bring the container to the point where only its process has not begun."""
    paths, host = ctx.paths, container.host_config
    modes = (("net", host.network_mode), ("ipc", host.ipc_mode), ("pid", host.pid_mode))
    donors = {kind: found for kind, mode in modes if (found := prepare.donor(ctx, mode))}
    programs = ctx.settings.runtime_programs
    # The name was known when the container was created; this davitd may have other settings.
    validate.check_runtime(host.runtime, programs)
    await asyncio.to_thread(prepare.make_directories, paths, container.id)
    undo.push_async_callback(cleanup.remove_tree, paths.bundle(container.id))
    for refuse in ctx.before_launch:
        await refuse(container.id)
    netns = await _make_ready(ctx, container, undo)
    has_own_network = netns is not None
    if "net" in donors:
        netns = f"/proc/{donors['net'].state.pid}/ns/net"

    request = prepare.join_request(ctx, container)
    files = Files(paths, container)
    remap = remapping.of(ctx, container)
    linked = links.running(ctx, container)
    resolv_conf = await prepare.resolv_conf(ctx, container, request)

    def write(sources: Mapping[str, str]) -> None:
        files.write(hostname=container.config.hostname, resolv_conf=resolv_conf)
        files.give_to(remap.ids.root if remap else (0, 0))
        prepare.make_shm(paths, container)
        prepare.write_bundle(
            ctx,
            container,
            netns=netns,
            donors=donors,
            files=files,
            link_env=links.environment(linked),
            remap=remap,
            sources=sources,
        )

    undo.push_async_callback(asyncio.to_thread, prepare.drop_shm, paths, container.id)
    undo.push_async_callback(ctx.monitors.forget, container.id)
    launch = Launch(
        container_id=container.id,
        bundle=str(paths.bundle(container.id)),
        runtime=programs[host.runtime],
        log="" if host.log_config.type == "none" else str(paths.log(container.id)),
        log_limit=log_options.limits(host.log_config).brake,
        terminal=container.config.tty,
        stdin=container.config.open_stdin,
        # A terminal stays usable after its client has detached.
        stdin_once=container.config.stdin_once and not container.config.tty,
    )

    if container.host_config.cpu_realtime_runtime:
        await asyncio.to_thread(prepare.grant_realtime, ctx, container)

    async def join() -> None:
        sandbox: Sandbox | None = None
        if has_own_network:  # also without endpoints: networks may be connected while it runs
            sandbox = await ctx.networks.join(request)
            for network in sandbox.endpoints:
                networks.announce(ctx, container, "connect", ctx.networks.resolve(network))
        lines = [line for other in linked for line in links.hosts_lines(other)]
        await files.write_hosts(await prepare.hosts(ctx, container, request, sandbox, lines))

    async with remapping.sources(ctx, container) as sources:
        await asyncio.to_thread(write, sources)
        joining = asyncio.create_task(join())
        launching = asyncio.create_task(ctx.monitors.launch(launch))
        try:
            await asyncio.gather(joining, launching)
        except BaseException:
            # Both must have ended before anything is undone.
            for task in (joining, launching):
                task.cancel()
            await asyncio.gather(joining, launching, return_exceptions=True)
            raise
    for callback in ctx.before_start:
        await callback(container.id)
    return launching.result()


async def _make_ready(ctx: Context, container: Container, undo: AsyncExitStack) -> str | None:
    """Mount the layers and the volumes; return the path of a new network namespace."""
    netns: Path | None = None
    mode = container.host_config.network_mode
    if mode != "host" and not mode.startswith("container:"):
        undo.push_async_callback(ctx.networks.leave, container.id)
        netns = await ctx.networks.prepare(container.id)
    undo.push_async_callback(ctx.rootfs.unmount, ctx.paths.rootfs(container.id))
    await rootfs.mount(ctx, container, remap=remapping.of(ctx, container))
    await image_mounts.mount(ctx, container, undo, remap=remapping.of(ctx, container))
    undo.push_async_callback(cleanup.give_back_volumes, ctx, container)
    for point in container.mounts:
        if point.type == "volume":
            await ctx.volumes.mount(point.name, container.id)
            ctx.events.publish(
                "volume",
                "mount",
                point.name,
                {
                    "container": container.id,
                    "destination": point.destination,
                    "driver": point.driver,
                    "propagation": point.propagation,
                    "read/write": str(point.rw).lower(),
                },
            )
    return str(netns) if netns is not None else None


async def _record_start(
    ctx: Context, container_id: str, launched: Launched, started_at: int, *, by_policy: bool
) -> None:
    def edit(before: Container) -> Container:
        state = msgspec.structs.replace(
            before.state.to(Status.RUNNING),
            pid=launched.pid,
            conmon_pid=launched.conmon_pid,
            start_ticks=launched.start_ticks,
            exit_code=0,
            error="",
            oom_killed=False,
            started_at=started_at,
            finished_at=0,
            stopped_by_user=False,
            restart_count=before.state.restart_count + 1 if by_policy else 0,
        )
        return msgspec.structs.replace(before, state=state)

    await ctx.store.change(container_id, edit)


async def _record_failure(ctx: Context, container_id: str, error: BaseException) -> None:
    """Keep why a start failed. A container that waited for its restart has ended for good."""
    reason = error.message if isinstance(error, DavitError) else f"{type(error).__name__}: {error}"

    def edit(before: Container) -> Container:
        code = exit_code_of(reason, merge.command(before.config))
        status = before.state.status
        if status is not Status.CREATED:
            status = Status.EXITED
        state = msgspec.structs.replace(before.state.to(status), exit_code=code, error=reason)
        return msgspec.structs.replace(before, state=state)

    try:
        container = await ctx.store.change(container_id, edit)
    except NotFound:
        return
    ctx.waiters.exited(container_id, Ended(exit_code=container.state.exit_code))


def exit_code_of(reason: str, command: list[str]) -> int:
    """The exit code that stands for a failed start, as shells have it.

    It is the program's only when the reason names it: mounts and cgroups may be missing, too.
    """
    if not command or command[0] not in reason:
        return _FAILED
    return next((code for words, code in BAD_COMMAND.items() if words in reason), _FAILED)
