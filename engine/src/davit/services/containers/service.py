"""The containers as one thing: what the routes and the daemon hold; each verb is elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager

from davit.model.config import ContainerConfig
from davit.model.container import (
    Container,
    Created,
    CreateRequest,
    Details,
    Ended,
    Health,
    Processes,
    UpdateRequest,
)
from davit.model.files import Change, PathStat
from davit.model.filters import Filters
from davit.model.image import CommitSource, CommitWish, Image
from davit.model.network import EndpointSettings, Network, Sandbox
from davit.services.containers import (
    archive,
    changes,
    commit,
    create,
    health,
    links,
    networks,
    pause,
    query,
    reconcile,
    remove,
    restart,
    start,
    stop,
    top,
    update,
)
from davit.services.containers.context import Context


class ContainerService:
    """Everything that can be done with containers. A reference is a name, an ID or its prefix."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def open(self) -> None:
        """Take up where an earlier davitd ended; once, at start-up, before requests are served."""
        await reconcile.reconcile(self._ctx)

    async def close(self) -> None:
        """End davitd's part; containers go on."""
        await self._ctx.background.close()

    def all(self) -> list[Container]:
        return self._ctx.store.all()

    def get(self, reference: str) -> Container:
        """Raises NotFound."""
        return self._ctx.store.get(reference)

    async def create(
        self,
        name: str,
        request: CreateRequest,
        platform: str = "",
        *,
        deep_read_only: bool = True,
    ) -> Created:
        return await create.create(
            self._ctx, name, request, platform, deep_read_only=deep_read_only
        )

    async def start(self, reference: str) -> None:
        await start.start(self._ctx, reference)

    async def stop(self, reference: str, *, signal: str = "", timeout: int | None = None) -> None:
        await stop.stop(self._ctx, reference, signal_name=signal, timeout=timeout)

    async def restart(
        self, reference: str, *, signal: str = "", timeout: int | None = None
    ) -> None:
        await restart.restart(self._ctx, reference, signal_name=signal, timeout=timeout)

    async def kill(self, reference: str, signal: str = "") -> None:
        await stop.kill(self._ctx, reference, signal)

    async def pause(self, reference: str) -> None:
        await pause.pause(self._ctx, reference)

    async def unpause(self, reference: str) -> None:
        await pause.unpause(self._ctx, reference)

    def wait(self, reference: str, condition: str = "") -> asyncio.Future[Ended]:
        """Return what will hold the result: no end is missed from the call on."""
        return self._ctx.waiters.subscribe(self._ctx.store.get(reference), condition)

    def watch_health(self, reference: str, status: str) -> asyncio.Future[Health]:
        """Return what will hold the health once it has this status; to be cancelled if unused."""
        return health.subscribe(self._ctx, self._ctx.store.get(reference).id, status)

    async def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        await remove.remove(self._ctx, reference, force=force, volumes=volumes)

    async def unlink(self, link: str) -> None:
        await links.unlink(self._ctx, link)

    async def prune(self, filters: Filters) -> tuple[list[str], int]:
        return await remove.prune(self._ctx, filters)

    async def rename(self, reference: str, name: str) -> None:
        await update.rename(self._ctx, reference, name)

    async def update(self, reference: str, request: UpdateRequest) -> list[str]:
        return await update.update(self._ctx, reference, request)

    async def inspect(self, reference: str, *, size: bool = False) -> Details:
        return await query.inspect(self._ctx, reference, size=size)

    async def select(
        self, filters: Filters, *, every: bool = False, limit: int = 0, size: bool = False
    ) -> list[Details]:
        return await query.select(self._ctx, filters, every=every, limit=limit, size=size)

    async def path_status(self, reference: str, path: str) -> PathStat:
        return await archive.status(self._ctx, reference, path)

    def get_archive(
        self, reference: str, path: str
    ) -> AbstractAsyncContextManager[tuple[PathStat, AsyncGenerator[bytes, None]]]:
        return archive.get(self._ctx, reference, path)

    async def put_archive(
        self,
        reference: str,
        path: str,
        chunks: AsyncIterator[bytes],
        *,
        replace: bool = True,
        own: bool = False,
    ) -> None:
        await archive.put(self._ctx, reference, path, chunks, replace=replace, own=own)

    def export(self, reference: str) -> AsyncGenerator[bytes, None]:
        """Raises NotFound before the first byte."""
        return archive.export(self._ctx, self._ctx.store.get(reference).id)

    async def changes(self, reference: str) -> list[Change]:
        return await changes.changes(self._ctx, reference)

    async def commit(
        self,
        reference: str,
        wish: CommitWish,
        *,
        override: ContainerConfig | None = None,
        still: bool = True,
    ) -> Image:
        return await commit.commit(self._ctx, reference, wish, override=override, still=still)

    async def written(self, reference: str) -> CommitSource:
        """Tell what a container has written to its own layer. Raises NotFound."""
        return await commit.source(self._ctx, self._ctx.store.get(reference))

    async def top(self, reference: str, arguments: str = "") -> Processes:
        return await top.top(self._ctx, reference, arguments)

    def members(self, network: Network) -> list[Sandbox]:
        return networks.members(self._ctx, network)

    async def connect(self, network: str, container: str, wish: EndpointSettings) -> None:
        await networks.connect(self._ctx, network, container, wish)

    async def disconnect(self, network: str, container: str, *, force: bool = False) -> None:
        await networks.disconnect(self._ctx, network, container, force=force)
