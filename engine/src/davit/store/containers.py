"""Containers' rows: all in memory, written through to SQLite, found by ID, name or ID prefix."""

from __future__ import annotations

from collections.abc import Callable

from davit.errors import Conflict, NotFound, SystemFailure
from davit.model import codec, ids
from davit.model.container import Container
from davit.store.db import Database

_TABLE = "containers"


class ContainerStore:
    """Reads are plain look-ups. A write changes memory at once and returns when SQLite has it.

    So two coroutines never see different states, and what was answered survives a ``kill -9``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, Container] = {}
        self._names: dict[str, str] = {}

    async def load(self) -> None:
        """Read all rows; once, at start-up."""
        for key, body in await self._database.load(_TABLE):
            container = codec.decode(body, Container)
            self._rows[key] = container
            self._names[container.name] = key

    def all(self) -> list[Container]:
        """All containers, oldest first."""
        return list(self._rows.values())

    def find(self, container_id: str) -> Container | None:
        """The container with this full ID, None when there is none (any more)."""
        return self._rows.get(container_id)

    def get(self, reference: str) -> Container:
        """Find by full ID, name (with or without ``/``) or unique ID prefix, in this order.

        Raises NotFound; InvalidParameter when the prefix fits several.
        """
        name = reference.removeprefix("/")
        found = self._rows.get(reference) or self._rows.get(self._names.get(name, ""))
        if found is not None:
            return found
        key = ids.by_prefix(reference, self._rows)
        if key is None:
            raise NotFound(f"No such container: {reference}")
        return self._rows[key]

    async def add(self, container: Container) -> None:
        """Insert a new container durably; it becomes visible when it is on disk.

        Its name is taken at once. Raises Conflict when the name is in use.
        """
        self._claim(container.name, container.id)
        try:
            await self._database.put(_TABLE, container.id, codec.encode(container))
        except BaseException:
            self._names.pop(container.name, None)
            # The write may have happened after all (the request was cancelled): take it back.
            await self._database.delete(_TABLE, container.id)
            raise
        self._rows[container.id] = container

    async def change(
        self,
        container_id: str,
        edit: Callable[[Container], Container],
        *,
        durable: bool = False,
    ) -> Container:
        """Apply ``edit`` to the present row and keep the result.

        What ``edit`` raises leaves the row as it was. durable: a client asked for it; when it
        cannot be written it is taken back, which what happened by itself is not. Raises NotFound
        when the container is gone, Conflict when ``edit`` gives it a name that is in use.
        """
        before = self._rows.get(container_id)
        if before is None:
            raise NotFound(f"No such container: {container_id}")
        after = edit(before)
        if after.name != before.name:
            self._claim(after.name, container_id)
            del self._names[before.name]
        self._rows[container_id] = after
        try:
            await self._database.put(_TABLE, container_id, codec.encode(after), durable=durable)
        except SystemFailure:
            if durable and self._rows.get(container_id) is after:
                self._rows[container_id] = before
                if after.name != before.name:
                    del self._names[after.name]
                    self._claim(before.name, container_id)
            raise
        return after

    async def remove(self, container_id: str) -> None:
        """Delete a row; its name is free at once. Idempotent."""
        container = self._rows.pop(container_id, None)
        if container is not None:
            self._names.pop(container.name, None)
        await self._database.delete(_TABLE, container_id)

    def has_name(self, name: str) -> bool:
        """Whether a container has the name, or is about to."""
        return name in self._names

    def check_name(self, name: str) -> None:
        """Raise Conflict, with the holder's ID, when the name is in use."""
        holder = self._names.get(name)
        if holder is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container '
                f'"{holder}". You have to remove (or rename) that container to be able to reuse '
                "that name."
            )

    def _claim(self, name: str, container_id: str) -> None:
        self.check_name(name)
        self._names[name] = container_id
