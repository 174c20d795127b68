"""Volumes' rows: all in memory, written through to SQLite."""

from __future__ import annotations

from davit.errors import NotFound
from davit.model import codec
from davit.model.volume import Volume
from davit.store.db import Database

_TABLE = "volumes"


class VolumeStore:
    """Volumes by name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, Volume] = {}

    async def load(self) -> None:
        """Read all rows; once, at start-up."""
        for key, body in await self._database.load(_TABLE):
            self._rows[key] = codec.decode(body, Volume)

    def all(self) -> list[Volume]:
        """All volumes, oldest first."""
        return list(self._rows.values())

    def find(self, name: str) -> Volume | None:
        return self._rows.get(name)

    def get(self, name: str) -> Volume:
        """Raises NotFound."""
        volume = self._rows.get(name)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    async def add(self, volume: Volume) -> None:
        """Insert durably."""
        await self._database.put(_TABLE, volume.name, codec.encode(volume))
        self._rows[volume.name] = volume

    async def remove(self, name: str) -> None:
        """Delete a row. Idempotent."""
        self._rows.pop(name, None)
        await self._database.delete(_TABLE, name)
