"""At start-up: what is recorded meets what is there. A pure plan, and its executor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from davit.errors import DavitError
from davit.model.container import Container, Status
from davit.model.runtime import Launched
from davit.services.containers import cleanup, links, policy, remove, start
from davit.services.containers.context import Context

logger = logging.getLogger(__name__)

_STARTS_AT_ONCE = 4


@dataclass(frozen=True)
class Follow:
    """Its monitor runs, or has left an exit code: adopt it, or take the code."""

    container_id: str
    alive: bool


@dataclass(frozen=True)
class RollBack:
    """A start or a clean-up was interrupted: take down what it left."""

    container_id: str


@dataclass(frozen=True)
class DeleteFiles:
    """It was removed, but not yet its files."""

    container_id: str


@dataclass(frozen=True)
class Remove:
    """It has ended and was to be removed then."""

    container_id: str


@dataclass(frozen=True)
class Start:
    """Its restart policy wants it to run. by_policy: it counts as a restart."""

    container_id: str
    by_policy: bool


Action = Follow | RollBack | DeleteFiles | Remove | Start


def plan(
    containers: Iterable[Container],
    *,
    alive: Collection[str],
    bundles: Collection[str],
    directories: Collection[str],
) -> list[Action]:
    """Return what is to be done, in order. Pure.

    alive: containers whose monitor runs; bundles: IDs with a bundle directory, which is made first
    and removed last in every run; directories: IDs with files on disk.
    """
    rows = {container.id: container for container in containers}
    followed: list[Action] = []
    then: list[Action] = []
    for container in rows.values():
        state, host = container.state, container.host_config
        if state.status.is_running:
            followed.append(Follow(container.id, container.id in alive))
        elif state.status is Status.RESTARTING:
            then.append(Start(container.id, by_policy=True))
        elif state.status is Status.EXITED and host.auto_remove:
            then.append(Remove(container.id))
        elif state.status is Status.EXITED and policy.resumes(
            host.restart_policy, stopped_by_user=state.stopped_by_user
        ):
            then.append(Start(container.id, by_policy=False))
    running = {action.container_id for action in followed}
    rolled: list[Action] = [RollBack(name) for name in sorted(set(bundles) - running)]
    deleted: list[Action] = [DeleteFiles(name) for name in sorted(set(directories) - set(rows))]
    return [*rolled, *deleted, *followed, *then]


async def reconcile(ctx: Context) -> None:
    """Carry the plan out; starts go on after the return."""
    paths = ctx.paths
    actions = plan(
        ctx.store.all(),
        alive=live(ctx),
        bundles=await asyncio.to_thread(_names, paths.bundle("x").parent),
        directories=await asyncio.to_thread(_names, paths.containers),
    )
    starts: list[Start] = []
    for action in actions:
        logger.info("reconcile: %s", action)
        if isinstance(action, Start):
            starts.append(action)
        else:
            await _carry_out(ctx, action)
    if starts:
        ctx.background.spawn(_start_all(ctx, starts), "restart of containers")


def live(ctx: Context) -> set[str]:
    """IDs of the containers whose monitor runs."""
    return {
        container.id
        for container in ctx.store.all()
        if container.state.status.is_running and ctx.monitors.is_alive(launched_of(container))
    }


def launched_of(container: Container) -> Launched:
    state = container.state
    return Launched(pid=state.pid, conmon_pid=state.conmon_pid, start_ticks=state.start_ticks)


async def _carry_out(ctx: Context, action: Follow | RollBack | DeleteFiles | Remove) -> None:
    container_id = action.container_id
    if isinstance(action, RollBack):
        container = ctx.store.find(container_id)
        await cleanup.orphan(ctx, container_id)
        if container is not None:
            await cleanup.give_back_volumes(ctx, container)
    elif isinstance(action, DeleteFiles):
        await cleanup.remove_tree(ctx.paths.container(container_id))
    elif isinstance(action, Remove):
        async with ctx.locks(container_id):
            await remove.delete(ctx, ctx.store.get(container_id), volumes=True)
    else:
        container = ctx.store.get(container_id)
        for point in container.mounts:
            if point.type == "volume":
                ctx.volumes.adopt(point.name, container_id)
        run = start.follow(ctx, container_id, launched_of(container))
        if not action.alive:
            # Whoever asks first is to see the end, and not a container that runs no more.
            await run.exited.wait()


async def _start_all(ctx: Context, actions: Sequence[Start]) -> None:
    gate = asyncio.Semaphore(_STARTS_AT_ONCE)
    tried = {action.container_id: asyncio.Event() for action in actions}

    async def start_one(action: Start) -> None:
        try:
            await start_when_linked(action)
        finally:
            tried[action.container_id].set()

    async def start_when_linked(action: Start) -> None:
        row = ctx.store.find(action.container_id)
        # A link leads to a container that was there first, so this comes to an end.
        if row is not None:
            for child_id in set(row.links.values()) & set(tried):
                await tried[child_id].wait()
            await links.settle(ctx, row)
        async with gate, ctx.locks(action.container_id):
            container = ctx.store.find(action.container_id)
            if container is None or container.state.status.is_running:
                return
            try:
                await start.run(ctx, container, delay=0 if action.by_policy else None)
            except DavitError as error:
                logger.error("%s does not start: %s", container.name, error.message)

    await asyncio.gather(*(start_one(action) for action in actions))


def _names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()
