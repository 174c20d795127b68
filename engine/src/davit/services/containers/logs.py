"""A container's log while it runs: kept within its limits, and sent on where that is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

from davit.errors import NotSupported, SystemFailure
from davit.model import log_options
from davit.model.container import Container
from davit.model.logs import LogBlock, LogLimits, LogRecord, LogSelection
from davit.services.containers.context import Context, Run


class Reader(Protocol):
    """Reads the log of a container from its files."""

    def read(
        self, path: Path, selection: LogSelection, ended: asyncio.Event
    ) -> AsyncIterator[LogBlock]: ...


class Keeper(Protocol):
    """Keeps a log within its limits."""

    async def prepare(self, log: Path, limits: LogLimits) -> None: ...

    async def keep(
        self,
        log: Path,
        limits: LogLimits,
        reopen: Callable[[], Awaitable[None]],
        ended: asyncio.Event,
    ) -> None: ...


class Sender(Protocol):
    """A connection to a log server."""

    async def connect(self) -> None:
        """Raises OSError when the server cannot be reached."""
        ...

    async def send(self, records: list[LogRecord]) -> None: ...

    async def close(self) -> None: ...


class Forwarding(Protocol):
    """Sends a log on from where an earlier davitd ended."""

    async def forward(self, log: Path, sender: Sender, ended: asyncio.Event) -> None: ...


class ContainerLogs:
    """Follows each container's run. senders: makes the sender that a container's driver needs."""

    def __init__(
        self,
        ctx: Context,
        *,
        reader: Reader,
        keeper: Keeper,
        forwarding: Forwarding,
        senders: Callable[[Container], Sender],
    ) -> None:
        self._ctx = ctx
        self._reader = reader
        self._keeper = keeper
        self._forwarding = forwarding
        self._senders = senders
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        ctx.before_launch.append(self._prepare)
        ctx.followers.append(self._follow)
        ctx.after_exit.append(self._settle)

    def read(self, container: Container, selection: LogSelection) -> AsyncIterator[LogBlock]:
        """Yield what is logged; to follow ends with the container's run.

        Raises NotSupported when the driver keeps nothing that could be read.
        """
        if not log_options.can_be_read(container.host_config.log_config):
            raise NotSupported("configured logging driver does not support reading")
        run = self._ctx.runs.get(container.id)
        ended = run.exited if run is not None else asyncio.Event()
        if run is None:
            ended.set()
        return self._reader.read(self._ctx.paths.log(container.id), selection, ended)

    async def _prepare(self, container_id: str) -> None:
        """Make room, and refuse a start whose log could go nowhere."""
        log = self._ctx.store.get(container_id).host_config.log_config
        if log.type in log_options.FORWARDED:
            sender = self._senders(self._ctx.store.get(container_id))
            try:
                await sender.connect()
            except (OSError, ValueError) as error:
                raise SystemFailure(
                    "failed to create task for container: failed to initialize logging driver: "
                    f"{getattr(error, 'strerror', None) or error}"
                ) from None
            finally:
                await sender.close()
        await self._keeper.prepare(self._ctx.paths.log(container_id), log_options.limits(log))

    def _follow(self, container: Container, run: Run) -> None:
        path = self._ctx.paths.log(container.id)
        log = container.host_config.log_config
        limits = log_options.limits(log)
        if limits.rotates:

            async def reopen() -> None:
                await self._ctx.monitors.reopen_log(container.id)

            self._keeping[container.id] = self._ctx.background.spawn(
                self._keeper.keep(path, limits, reopen, run.exited),
                f"rotation of the log of {container.id}",
            )
        if log.type in log_options.FORWARDED:
            previous = self._sending.get(container.id)
            sending = self._ctx.background.spawn(
                self._send(container, run, previous), f"sending the log of {container.id}"
            )
            self._sending[container.id] = sending
            sending.add_done_callback(lambda done: self._forget(container.id, done))

    async def _send(
        self, container: Container, run: Run, previous: asyncio.Task[None] | None
    ) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        path = self._ctx.paths.log(container.id)
        await self._forwarding.forward(path, self._senders(container), run.exited)

    def _forget(self, container_id: str, done: asyncio.Task[None]) -> None:
        if self._sending.get(container_id) is done:
            del self._sending[container_id]

    async def _settle(self, container_id: str) -> None:
        """Return when nothing is done with the log's files any more."""
        keeping = self._keeping.pop(container_id, None)
        if keeping is not None:
            await asyncio.wait({keeping})
