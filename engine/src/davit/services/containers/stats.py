"""What containers use. One sampler reads for all who watch, and only while somebody watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Protocol

from davit.model.container import Container, Status
from davit.model.stats import Stats, Usage
from davit.services.containers import prepare
from davit.services.containers.context import Context

logger = logging.getLogger(__name__)

_INTERVAL = 1.0


class Reader(Protocol):
    """Reads the kernel's counters."""

    def read(self, cgroup: str, pid: int, *, interfaces: bool = True) -> Usage | None:
        """Return what a container has used so far, None when it has no cgroup. Blocking."""
        ...


class ContainerStats:
    """Answers those who ask once, and tells those who follow once a second."""

    def __init__(self, ctx: Context, reader: Reader) -> None:
        self._ctx = ctx
        self._reader = reader
        self._watching: dict[str, set[asyncio.Queue[Usage | None]]] = {}
        self._sampler: asyncio.Task[None] | None = None

    async def once(self, reference: str, *, one_shot: bool = False) -> Stats:
        """Return one reading, with the one of a second before unless ``one_shot``.

        Of a container that does not run there is none. Raises NotFound.
        """
        container = self._ctx.store.get(reference)
        if not _runs(container):
            return _stats(container)
        if one_shot:
            usage = (await asyncio.to_thread(self._read, [container])).get(container.id)
            return _stats(container, usage)
        async with aclosing(self.follow(container.id)) as readings:
            async for stats in readings:
                if stats.previous is not None or stats.usage is None:
                    return stats
        return _stats(container)

    def follow(self, reference: str) -> AsyncGenerator[Stats, None]:
        """Yield a reading a second until the container is removed. Raises NotFound.

        While it does not run there is nothing in the readings.
        """
        return self._follow(self._ctx.store.get(reference))

    async def _follow(self, container: Container) -> AsyncGenerator[Stats, None]:
        # A client that reads slowly gets the latest reading, not all that it missed.
        queue: asyncio.Queue[Usage | None] = asyncio.Queue(maxsize=1)
        removed = self._ctx.waiters.subscribe(container, "removed")
        self._watch(container.id, queue)
        previous: Usage | None = None
        try:
            while True:
                fresh = asyncio.ensure_future(queue.get())
                try:
                    ends: list[asyncio.Future[Any]] = [fresh, removed]
                    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                    if removed.done():
                        return
                    usage = fresh.result()
                finally:
                    fresh.cancel()
                current = self._ctx.store.find(container.id)
                if current is None:
                    return
                yield _stats(current, usage, previous if usage is not None else None)
                previous = usage
        finally:
            removed.cancel()
            self._unwatch(container.id, queue)

    def _watch(self, container_id: str, queue: asyncio.Queue[Usage | None]) -> None:
        self._watching.setdefault(container_id, set()).add(queue)
        if self._sampler is None or self._sampler.done():
            self._sampler = self._ctx.background.spawn(self._sample(), "statistics")

    def _unwatch(self, container_id: str, queue: asyncio.Queue[Usage | None]) -> None:
        watchers = self._watching[container_id]
        watchers.discard(queue)
        if not watchers:
            del self._watching[container_id]
        if not self._watching and self._sampler is not None:
            self._sampler.cancel()
            self._sampler = None

    async def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            found = [self._ctx.store.find(container_id) for container_id in self._watching]
            running = [row for row in found if row is not None and _runs(row)]
            usages = await asyncio.to_thread(self._read, running)
            for container_id, watchers in self._watching.items():
                for queue in watchers:
                    if queue.full():
                        queue.get_nowait()
                    queue.put_nowait(usages.get(container_id))
            # A machine that was asleep, or too busy, makes no readings up for.
            due = max(due + _INTERVAL, loop.time())
            await asyncio.sleep(due - loop.time())

    def _read(self, containers: Iterable[Container]) -> dict[str, Usage | None]:
        """Blocking. What cannot be read is missing, so that the others' watchers go on."""
        found: dict[str, Usage | None] = {}
        for container in containers:
            try:
                found[container.id] = self._reader.read(
                    prepare.cgroups_path(self._ctx.settings, container),
                    container.state.pid,
                    interfaces=container.host_config.network_mode != "host",
                )
            except (OSError, ValueError):
                logger.exception("cannot read what container %s uses", container.name)
        return found


def _runs(container: Container) -> bool:
    return container.state.status in (Status.RUNNING, Status.PAUSED)


def _stats(
    container: Container, usage: Usage | None = None, previous: Usage | None = None
) -> Stats:
    return Stats(container_id=container.id, name=container.name, usage=usage, previous=previous)
