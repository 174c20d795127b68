"""Layers on their way from registries into the store, each once however many pulls want it.

A transfer goes on as long as one pull waits for it. It downloads, verifies and unpacks in one pass,
in a thread of its own: a slow registry must not keep the threads busy that others need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, suppress

from davit.drivers.registry.download import Download
from davit.drivers.registry.repository import Repository
from davit.drivers.tar.compression import NARROW, WIDEST, TooWide
from davit.drivers.tar.stream import feed
from davit.errors import DavitError, InvalidParameter
from davit.model import ids
from davit.model.image import Amount, Descriptor, Layer, Progress
from davit.services.images.content import Content
from davit.services.images.unpack import Staged

Report = Callable[[Progress], None]

PARALLEL = 3
"""Downloads at a time, as many as Docker's ``max-concurrent-downloads``."""
_PAUSE = 0.1


class Source:
    """An open repository, closed when the pull and all transfers that use it are through."""

    def __init__(self, repository: Repository, stack: AsyncExitStack) -> None:
        self.repository = repository
        self._stack = stack
        self._users = 0

    async def __aenter__(self) -> Source:
        self._users += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            await self._stack.aclose()


class _Transfer:
    """One blob. Whoever watches it is told the last line first."""

    def __init__(self) -> None:
        self.watchers: list[Report] = []
        self.task: asyncio.Task[Layer]
        self._last: Progress | None = None

    def tell(self, line: Progress) -> None:
        self._last = line
        for report in self.watchers:
            report(line)

    def watch(self, report: Report) -> None:
        self.watchers.append(report)
        if self._last is not None:
            report(self._last)


class Transfers:
    """All that are under way."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._running: dict[str, _Transfer] = {}
        self._slots = asyncio.Semaphore(PARALLEL)
        # One at a time: three windows of zstd's largest size would take 400 MB.
        self._wide = asyncio.Lock()

    async def fetch(
        self, source: Source, wanted: Descriptor, diff_id: str, report: Report
    ) -> Layer:
        """Return the layer once it is in the store; the caller must hold it.

        diff_id: what it must unpack to. Raises what the registry's refusal means, Unavailable,
        InvalidParameter for what is damaged. When the last caller is cancelled the transfer ends.
        """
        while True:
            transfer = self._running.get(wanted.digest)
            joined = transfer is not None
            if transfer is None:
                transfer = self._start(source, wanted, diff_id)
            try:
                layer = await self._wait(wanted.digest, transfer, report)
            except DavitError:
                # It failed at another's registry, or for want of another's credentials.
                if not joined:
                    raise
            else:
                return _checked(layer, diff_id)

    def _start(self, source: Source, wanted: Descriptor, diff_id: str) -> _Transfer:
        transfer = self._running[wanted.digest] = _Transfer()
        transfer.task = asyncio.create_task(self._run(transfer, source, wanted, diff_id))
        transfer.task.add_done_callback(lambda _: self._forget(wanted.digest, transfer))
        return transfer

    async def _wait(self, digest: str, transfer: _Transfer, report: Report) -> Layer:
        transfer.watch(report)
        try:
            return await asyncio.shield(transfer.task)
        finally:
            transfer.watchers.remove(report)
            if not transfer.watchers and not transfer.task.done():
                # From now on nobody joins it.
                self._forget(digest, transfer)
                transfer.task.cancel()
                await asyncio.wait([transfer.task])

    def _forget(self, digest: str, transfer: _Transfer) -> None:
        if self._running.get(digest) is transfer:
            del self._running[digest]

    async def _run(
        self, transfer: _Transfer, source: Source, wanted: Descriptor, diff_id: str
    ) -> Layer:
        name = ids.short(wanted.digest)

        def tell(status: str, current: int = 0) -> None:
            amount = Amount(current=current, total=wanted.size) if current else Amount()
            transfer.tell(Progress(status=status, detail=amount, id=name))

        if self._slots.locked():
            tell("Waiting")
        async with source, self._slots:
            staged = await self._stage(source.repository, wanted, tell)
        try:
            tell("Extracting", wanted.size)
            _checked(staged.layer, diff_id)
            layer = await self._content.adopt(staged)
        finally:
            await asyncio.to_thread(self._content.unpacker.discard, staged)
        tell("Pull complete")
        return layer

    async def _stage(
        self, repository: Repository, wanted: Descriptor, tell: Callable[..., None]
    ) -> Staged:
        try:
            return await self._download(repository, wanted, tell, NARROW)
        except TooWide:
            # Told by the first bytes, mostly: nearly nothing is fetched twice.
            tell("Waiting")
        async with self._wide:
            return await self._download(repository, wanted, tell, WIDEST)

    async def _download(
        self,
        repository: Repository,
        wanted: Descriptor,
        tell: Callable[..., None],
        window: int,
    ) -> Staged:
        while True:
            download = Download(
                repository,
                wanted.digest,
                wanted.size,
                lambda seconds: tell(f"Retrying in {max(1, round(seconds))} seconds"),
            )
            try:
                return await self._unpack(_counted(download, tell), wanted.digest, window)
            except InvalidParameter as error:
                if isinstance(error, TooWide) and window < WIDEST:
                    raise
                if download.refused is not None:
                    raise download.refused from None
                # Its parts may not have been of one blob: once more, from the beginning.
                if not download.resumed:
                    raise

    async def _unpack(
        self, chunks: AsyncGenerator[bytes, None], digest: str, window: int
    ) -> Staged:
        staged: list[Staged] = []
        executor = ThreadPoolExecutor(1, thread_name_prefix="pull")
        try:
            async with aclosing(chunks):
                await feed(
                    chunks,
                    lambda source: staged.append(
                        self._content.unpacker.stage(source, expected=digest, window=window)
                    ),
                    executor,
                )
        except BaseException:
            for item in staged:
                with suppress(OSError):
                    await asyncio.to_thread(self._content.unpacker.discard, item)
            raise
        finally:
            executor.shutdown(wait=False)
        return staged[0]


async def _counted(download: Download, tell: Callable[..., None]) -> AsyncGenerator[bytes, None]:
    """Pass the chunks on and tell how far it is, ten times a second."""
    done, told = 0, 0.0
    async with aclosing(download.chunks()) as chunks:
        async for chunk in chunks:
            done += len(chunk)
            if time.monotonic() - told >= _PAUSE:
                told = time.monotonic()
                tell("Downloading", done)
            yield chunk
    tell("Verifying Checksum")
    tell("Download complete")


def _checked(layer: Layer, diff_id: str) -> Layer:
    if layer.diff_id != diff_id:
        raise InvalidParameter(
            f"layers from manifest don't match image configuration: blob {layer.blob} unpacks to "
            f"{layer.diff_id}, expected {diff_id}"
        )
    return layer
