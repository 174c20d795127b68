"""Keeps the packet filter in step with networks and sandboxes: one batch at a time."""

from __future__ import annotations

import asyncio
import logging

from davit.drivers import nft
from davit.errors import DavitError
from davit.model.network import Sandbox
from davit.services.networks import firewall
from davit.store.networks import NetworkStore, SandboxStore

logger = logging.getLogger(__name__)


class PacketFilter:
    """The nft table of this daemon.

    Changes that are asked for while one is under way go to the kernel together.
    """

    def __init__(self, table: str, networks: NetworkStore, sandboxes: SandboxStore) -> None:
        self._table = table
        self._networks = networks
        self._sandboxes = sandboxes
        self._lock = asyncio.Lock()
        self._pending: list[str] = []
        self._stale = False

    async def sync(self) -> None:
        """Build the whole table anew from what the stores hold."""
        async with self._lock:
            await self._sync()

    async def warn(self) -> None:
        """Tell the log when the host drops what this table accepts."""
        if await asyncio.to_thread(nft.drops_forwarded):
            logger.warning(
                "the policy of iptables' FORWARD chain is drop (dockerd sets it): containers reach "
                "neither the outside nor other bridges until it lets davit's bridges through; see "
                "docs/networking.md"
            )

    async def publish(self, sandbox: Sandbox) -> None:
        """Let in the published ports of a stored sandbox. Does nothing for one without."""
        await self._change(firewall.published(self._table, sandbox))

    async def withdraw(self, sandbox: Sandbox) -> None:
        """Undo :meth:`publish` for a sandbox that is no longer stored. Does not raise."""
        try:
            await self._change(firewall.withdrawn(self._table, sandbox))
        except DavitError as error:
            logger.error("cannot withdraw the ports of %s: %s", sandbox.name, error.message)

    async def erase(self) -> None:
        async with self._lock:
            await asyncio.to_thread(nft.apply, firewall.erased(self._table))

    async def _change(self, batch: str) -> None:
        if batch:
            self._pending.append(batch)
            async with self._lock:
                await self._flush()

    async def _flush(self) -> None:
        """Apply all that is pending. Nothing is, when an earlier caller has taken it along."""
        batch = "".join(self._pending)
        self._pending.clear()
        if batch and not self._stale:
            try:
                await asyncio.to_thread(nft.apply, batch)
            except DavitError as error:
                logger.warning("somebody changed the nft table %s: %s", self._table, error.message)
                self._stale = True
        if self._stale:
            await self._sync()

    async def _sync(self) -> None:
        self._stale = True
        self._pending.clear()
        batch = firewall.ruleset(self._table, self._networks.all(), self._sandboxes.all())
        await asyncio.to_thread(nft.apply, batch)
        self._stale = False
