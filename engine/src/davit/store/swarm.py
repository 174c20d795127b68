"""The tasks that the swarm has assigned to this node, and how far each has come."""

from __future__ import annotations

from davit.model import codec
from davit.model.swarm import TaskRow
from davit.store.db import Database

_TABLE = "swarm_tasks"


class TaskStore:
    """Rows by task ID. A manager sends again what a power failure lost, so no row waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, TaskRow]:
        rows = await self._database.load(_TABLE)
        return {key: codec.decode(body, TaskRow) for key, body in rows}

    async def put(self, task_id: str, row: TaskRow) -> None:
        await self._database.put(_TABLE, task_id, codec.encode(row), durable=False)

    async def remove(self, task_id: str) -> None:
        """Idempotent."""
        await self._database.delete(_TABLE, task_id, durable=False)
