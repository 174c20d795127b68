"""A container's streams: clients attached to it, also before it starts, and its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from davit.errors import Conflict
from davit.model.container import Container, Status
from davit.model.logs import LogBlock, LogSelection
from davit.services.containers.context import Context
from davit.services.containers.logs import ContainerLogs
from davit.services.containers.needs import Console


class ContainerStreams:
    """Whoever attaches before the start gets all output from the first byte."""

    def __init__(self, ctx: Context, logs: ContainerLogs) -> None:
        self._ctx = ctx
        self._logs = logs
        # Clients of containers that have not started, and whether each is a source of input.
        self._waiting: dict[str, dict[asyncio.Future[Console], bool]] = {}
        ctx.before_start.append(self._open_all)

    async def attach(self, reference: str, *, stdin: bool = False) -> Console:
        """Return a console; of a container that does not run, one that waits for its start.

        stdin: it is a source of input; a container's that has only one ends with it.
        Raises NotFound; Conflict when it is paused or restarting.
        """
        container = self._ctx.store.get(reference)
        async with self._ctx.locks(container.id):
            container = self._ctx.store.get(container.id)
            check_attachable(container)
            self._ctx.announce(container, "attach")
            if container.state.status is Status.RUNNING:
                return await self._ctx.monitors.attach(container.id, stdin=stdin)
            console: asyncio.Future[Console] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(container.id, {})[console] = stdin
            console.add_done_callback(lambda waited: self._left(container.id, waited))
            removed = self._ctx.waiters.subscribe(container, "removed")
            return _DeferredConsole(console, removed)

    def logs(self, reference: str, selection: LogSelection) -> AsyncIterator[LogBlock]:
        """Yield what is logged; to follow ends with the container's run.

        Raises NotFound; NotSupported when the log driver keeps nothing that could be read.
        """
        return self._logs.read(self._ctx.store.get(reference), selection)

    async def resize(self, reference: str, height: int, width: int) -> None:
        """Set the size of the terminal. Raises NotFound, Conflict when it does not run."""
        container = self._ctx.store.get(reference)
        if not container.state.status.is_running:
            raise Conflict(f"container {container.id} is not running")
        if not container.config.tty:
            return  # As with Docker: nothing to do, and nothing wrong.
        await self._ctx.monitors.resize(container.id, height, width)
        self._ctx.announce(container, "resize", height=str(height), width=str(width))

    def detached(self, reference: str) -> None:
        """Tell that a client left by its detach keys."""
        container = self._ctx.store.find(reference)
        if container is not None:
            self._ctx.announce(container, "detach")

    async def _open_all(self, container_id: str) -> None:
        for console, stdin in self._waiting.pop(container_id, {}).items():
            if console.cancelled():
                continue
            opened = await self._ctx.monitors.attach(container_id, stdin=stdin)
            if console.cancelled():
                await opened.close()
            else:
                console.set_result(opened)

    def _left(self, container_id: str, console: asyncio.Future[Console]) -> None:
        waiting = self._waiting.get(container_id, {})
        waiting.pop(console, None)
        if not waiting:
            self._waiting.pop(container_id, None)


def check_attachable(container: Container) -> None:
    """Raise Conflict for states in which Docker refuses to attach."""
    if container.state.status is Status.PAUSED:
        raise Conflict(f"container {container.id} is paused, unpause the container before attach")
    if container.state.status is Status.RESTARTING:
        raise Conflict(
            f"container {container.id} is restarting, wait until the container is running"
        )


class _DeferredConsole:
    """A console of a container that has not started; it ends when the container is removed."""

    def __init__(self, console: asyncio.Future[Console], removed: asyncio.Future[Any]) -> None:
        self._console = console
        self._removed = removed

    async def read(self) -> tuple[int, bytes] | None:
        console = await self._opened()
        return None if console is None else await console.read()

    async def write(self, data: bytes) -> None:
        console = await self._opened()
        if console is not None:
            await console.write(data)

    async def close_stdin(self) -> None:
        console = await self._opened()
        if console is not None:
            await console.close_stdin()

    async def close(self) -> None:
        self._removed.cancel()
        if self._console.done() and not self._console.cancelled():
            await self._console.result().close()
        else:
            self._console.cancel()

    async def _opened(self) -> Console | None:
        if not self._console.done():
            ends: list[asyncio.Future[Any]] = [self._console, self._removed]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        return self._console.result() if self._console.done() else None
