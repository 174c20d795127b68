"""The networks as one thing: what the container services and the daemon hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path

from davit.config import Settings
from davit.drivers import netlink
from davit.model.network import EndpointSettings, JoinRequest, Network, Sandbox
from davit.services.networks.connect import Sandboxes
from davit.services.networks.manage import Events, Networks
from davit.services.networks.packet_filter import PacketFilter
from davit.services.networks.pool import NamespacePool
from davit.store.db import Database
from davit.store.networks import NetworkStore, SandboxStore
from davit.store.paths import Paths
from davit.sys import netns

logger = logging.getLogger(__name__)


class NetworkService:
    """Implements ``services.containers.needs.Networking`` and the networks' routes."""

    def __init__(
        self, settings: Settings, paths: Paths, database: Database, events: Events
    ) -> None:
        self._directory = paths.netns
        self._store = NetworkStore(database)
        self._rows = SandboxStore(database)
        self._links = netlink.Links()
        self._filter = PacketFilter(f"davit_{settings.instance}", self._store, self._rows)
        self._pool = NamespacePool()
        self._sandboxes = Sandboxes(paths.netns, self._store, self._rows, self._pool, self._links)
        self._networks = Networks(
            settings, self._store, self._rows, self._links, self._filter, events
        )
        self.create = self._networks.create
        self.remove = self._networks.remove
        self.resolve = self._store.get
        self.sandbox = self._rows.find
        self.prepare = self._sandboxes.prepare
        self.join = self._sandboxes.join
        self.leave = self._sandboxes.leave

    async def open(self, live: Collection[str]) -> None:
        """Take up where an earlier davitd ended. live: IDs of the containers that still run."""
        await asyncio.to_thread(self._directory.mkdir, parents=True, exist_ok=True, mode=0o711)
        await self._store.load()
        await self._rows.load()
        await self._networks.ensure_predefined()
        await self._networks.ensure_bridges()
        await self._filter.sync()
        self._pool.fill()

    async def close(self) -> None:
        """End, leaving running containers connected."""
        await self._sandboxes.settle()
        await self._pool.close()
        self._links.close()
