"""A few network namespaces kept ready, since making one takes longer than a start should wait."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from davit.errors import SystemFailure
from davit.sys import netns, userns

logger = logging.getLogger(__name__)


class NamespacePool:
    """Descriptors of fresh namespaces. They are nowhere pinned, so they end with davitd.

    owner: the user namespace that they belong to, None for the host's.
    """

    def __init__(self, size: int = 4, owner: Path | None = None) -> None:
        self._size = size
        self._owner = owner
        self._ready: list[int] = []
        self._refill: asyncio.Task[None] | None = None

    async def take(self) -> int:
        """Return a namespace; the caller owns the descriptor. Raises SystemFailure."""
        namespace = self._ready.pop() if self._ready else await self._create()
        self.fill()
        return namespace

    def fill(self) -> None:
        """Make the missing ones in the background."""
        if self._refill is None or self._refill.done():
            self._refill = asyncio.create_task(self._fill())

    async def close(self) -> None:
        if self._refill is not None:
            # Waited for, not cancelled: the thread would leave a descriptor to nobody.
            await asyncio.wait([self._refill])
        while self._ready:
            os.close(self._ready.pop())

    async def _fill(self) -> None:
        try:
            while len(self._ready) < self._size:
                self._ready.append(await self._create())
        except SystemFailure as error:
            logger.warning("%s; tried again with the next start", error.message)

    async def _create(self) -> int:
        try:
            return await asyncio.to_thread(self._make)
        except OSError as error:
            raise SystemFailure(f"no network namespace: {error.strerror or error}") from None

    def _make(self) -> int:
        if self._owner is None:
            return netns.create()
        namespace = userns.create_netns(self._owner)
        with netns.inside(namespace):
            netns.prepare()
        return namespace
