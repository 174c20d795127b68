"""Keeps the packet filter in step with networks and sandboxes: one batch at a time."""

from __future__ import annotations

import asyncio
import logging

from davit.drivers import nft
from davit.drivers.notices import TableNotices
from davit.errors import DavitError
from davit.model.network import Sandbox
from davit.services.networks import firewall
from davit.store.networks import NetworkStore, SandboxStore

logger = logging.getLogger(__name__)


class PacketFilter:
    """The nft table of this daemon.

    Changes that are asked for while one is under way go to the kernel together.
    disturbed: set when somebody else has changed the table.
    """

    def __init__(self, table: str, networks: NetworkStore, sandboxes: SandboxStore) -> None:
        self._table = table
        self._networks = networks
        self._sandboxes = sandboxes
        self._lock = asyncio.Lock()
        self._pending: list[str] = []
        self._stale = False
        self.disturbed = asyncio.Event()
        self._notices: TableNotices | None = None
        self._unexplained = 0
        self._warned = False

    def listen(self) -> None:
        """Notice from now on what others do to the table, and to the policies of the host's."""
        self._notices = TableNotices(self._table)
        asyncio.get_running_loop().add_reader(self._notices.fileno(), self._notice)

    def stop_listening(self) -> None:
        """Idempotent."""
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices.fileno())
            self._notices.close()
            self._notices = None

    async def restore(self) -> None:
        """Put the table back after somebody else's change, and look at the host's policy."""
        async with self._lock:
            if self._unexplained:
                logger.warning(
                    "somebody changed or flushed the nft table %s: it is put back", self._table
                )
                await self._sync()
        await self.warn()

    async def sync(self) -> None:
        """Build the whole table anew from what the stores hold."""
        async with self._lock:
            await self._sync()

    async def warn(self) -> None:
        """Tell the log, once, when the host drops what this table accepts."""
        drops, warned = await asyncio.to_thread(nft.drops_forwarded), self._warned
        self._warned = drops
        if drops and not warned:
            logger.warning(
                "the policy of iptables' FORWARD chain is drop (dockerd sets it): containers reach "
                "neither the outside nor other bridges until it lets davit's bridges through; see "
                "docs/networking.md"
            )

    async def publish(self, sandbox: Sandbox) -> None:
        """Let in the published ports of a stored sandbox. Does nothing for one without."""
        await self._change(firewall.published(self._table, sandbox))
        await self._relink(sandbox)

    async def withdraw(self, sandbox: Sandbox) -> None:
        """Undo :meth:`publish` for a sandbox that is no longer stored. Does not raise."""
        try:
            await self._change(firewall.withdrawn(self._table, sandbox))
            await self._relink(sandbox)
        except DavitError as error:
            logger.error("cannot withdraw the ports of %s: %s", sandbox.name, error.message)

    async def erase(self) -> None:
        async with self._lock:
            await self._apply(firewall.erased(self._table))

    async def _relink(self, sandbox: Sandbox) -> None:
        """Follow a sandbox that came or went and that has to do with links: few have."""
        others = [row for row in self._sandboxes.all() if row.container_id != sandbox.container_id]
        if firewall.links([sandbox, *others]) != firewall.links(others):
            await self.sync()

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
                await self._apply(batch)
            except DavitError as error:
                logger.warning("somebody changed the nft table %s: %s", self._table, error.message)
                self._stale = True
        if self._stale:
            await self._sync()

    async def _sync(self) -> None:
        self._stale = True
        self._pending.clear()
        batch = firewall.ruleset(self._table, self._networks.all(), self._sandboxes.all())
        self._count()
        self._unexplained = 0  # whatever it was, it ends here
        await self._apply(batch)
        self._stale = False

    async def _apply(self, batch: str) -> None:
        """Hand a batch, one transaction, to the kernel; the lock is held."""
        self._count()
        try:
            await asyncio.to_thread(nft.apply, batch)
        finally:
            # nft has ended: what it did has been told.
            self._count()
        # None when it changed nothing.
        self._unexplained = max(0, self._unexplained - 1)
        if self._unexplained:
            self.disturbed.set()

    def _notice(self) -> None:
        self._count()
        if self._unexplained and not self._lock.locked():
            self.disturbed.set()

    def _count(self) -> None:
        """Add up the transactions that touched the table and that may be somebody else's."""
        if self._notices is not None:
            changes = self._notices.take()
            self._unexplained += changes.transactions
            if changes.host_chains:
                self.disturbed.set()
