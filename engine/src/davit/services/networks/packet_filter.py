"""Keeps the packet filter in step with networks and sandboxes: one batch at a time."""

from __future__ import annotations

import asyncio

from davit.drivers import nft
from davit.model.network import Sandbox
from davit.services.networks import firewall
from davit.store.networks import NetworkStore, SandboxStore


class PacketFilter:
    """The nft table of this daemon."""

    def __init__(self, table: str, networks: NetworkStore, sandboxes: SandboxStore) -> None:
        self._table = table
        self._networks = networks
        self._sandboxes = sandboxes
        self._lock = asyncio.Lock()

    async def sync(self) -> None:
        """Build the whole table anew."""
        async with self._lock:
            batch = firewall.ruleset(self._table, self._networks.all(), self._sandboxes.all())
            await asyncio.to_thread(nft.apply, batch)

    async def publish(self, sandbox: Sandbox) -> None:
        """Let a container's published ports in. Does nothing for one without."""
        await self._apply(firewall.published(self._table, sandbox))

    async def withdraw(self, sandbox: Sandbox) -> None:
        """Undo :meth:`publish`."""
        await self._apply(firewall.withdrawn(self._table, sandbox))

    async def erase(self) -> None:
        await self._apply(firewall.erased(self._table))

    async def _apply(self, batch: str) -> None:
        if batch:
            async with self._lock:
                await asyncio.to_thread(nft.apply, batch)
