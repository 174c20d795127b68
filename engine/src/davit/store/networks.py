"""Rows of networks and of sandboxes (the networking of running containers)."""

from __future__ import annotations

from collections.abc import Awaitable

from davit.errors import NotFound
from davit.model import codec, ids
from davit.model.network import Network, Sandbox
from davit.store.db import Database

_NETWORKS = "networks"
_SANDBOXES = "sandboxes"


class NetworkStore:
    """Networks, found by ID, name or ID prefix. A write is durable when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, Network] = {}

    async def load(self) -> None:
        """Read all rows; once, at start-up."""
        for key, body in await self._database.load(_NETWORKS):
            self._rows[key] = codec.decode(body, Network)

    def all(self) -> list[Network]:
        """All networks, oldest first."""
        return list(self._rows.values())

    def named(self, name: str) -> Network | None:
        return next((row for row in self._rows.values() if row.name == name), None)

    def get(self, reference: str) -> Network:
        """Find by full ID, name or unique ID prefix, in this order.

        Raises NotFound; InvalidParameter when the prefix fits several.
        """
        found = self._rows.get(reference) or self.named(reference)
        if found is not None:
            return found
        key = ids.by_prefix(reference, self._rows)
        if key is None:
            raise NotFound(f"network {reference} not found")
        return self._rows[key]

    async def put(self, network: Network) -> None:
        """Insert or replace. Visible at once, so that its name and subnet are taken."""
        self._rows[network.id] = network
        try:
            await self._database.put(_NETWORKS, network.id, codec.encode(network))
        except BaseException:
            self._rows.pop(network.id, None)
            raise

    async def remove(self, network_id: str) -> None:
        """Delete. Idempotent."""
        self._rows.pop(network_id, None)
        await self._database.delete(_NETWORKS, network_id)


class SandboxStore:
    """Sandboxes by container ID.

    Rows survive davitd, not the machine: a reboot ends the containers that they are about. So no
    write waits for the disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, Sandbox] = {}

    async def load(self) -> None:
        """Read all rows; once, at start-up."""
        for key, body in await self._database.load(_SANDBOXES):
            self._rows[key] = codec.decode(body, Sandbox)

    def all(self) -> list[Sandbox]:
        return list(self._rows.values())

    def find(self, container_id: str) -> Sandbox | None:
        return self._rows.get(container_id)

    def on(self, network: Network) -> list[Sandbox]:
        """Sandboxes with an endpoint on this network."""
        return [row for row in self._rows.values() if network.name in row.endpoints]

    def put(self, sandbox: Sandbox) -> Awaitable[None]:
        """Insert or replace. Visible when called, before it is awaited: its addresses are taken."""
        self._rows[sandbox.container_id] = sandbox
        return self._database.put(
            _SANDBOXES, sandbox.container_id, codec.encode(sandbox), durable=False
        )

    async def remove(self, container_id: str) -> None:
        """Delete. Idempotent."""
        if self._rows.pop(container_id, None) is not None:
            await self._database.delete(_SANDBOXES, container_id, durable=False)
