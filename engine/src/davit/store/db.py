"""The SQLite connection: one thread, short transactions, write-ahead log.

Rows are read once, at start-up; the stores keep them in memory and write through. So nothing here
is on the path of a read, and every write is awaited off the event loop.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from davit.errors import SystemFailure
from davit.store.migrations import migrate

T = TypeVar("T")


class Database:
    """All writes go through :meth:`run`, one at a time and each in one transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="davit-db")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file and bring its schema up to date."""
        await self._submit(self._open)

    async def close(self) -> None:
        await self._submit(self._close)
        self._thread.shutdown(wait=False)

    async def run(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction on the database's thread.

        durable: whether the row must survive a power failure (one fsync). What a restart of davitd
        can find out again (a container's state is held by its monitor) need not: it survives the
        death of davitd in any case. Raises SystemFailure when it cannot be written.
        """
        return await self._submit(self._transact, work, durable)

    async def put(self, table: str, key: str, body: bytes, *, durable: bool = True) -> None:
        """Insert or replace a row of a table made of (key, body)."""
        await self.run(
            lambda db: db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, body)),
            durable=durable,
        )

    async def delete(self, table: str, key: str, *, durable: bool = True) -> None:
        """Delete a row of a table made of (key, body)."""
        await self.run(
            lambda db: db.execute(f"DELETE FROM {table} WHERE key = ?", (key,)), durable=durable
        )

    async def load(self, table: str) -> list[tuple[str, bytes]]:
        """Return all rows of a table made of (key, body)."""
        return await self.run(
            lambda db: db.execute(f"SELECT key, body FROM {table} ORDER BY rowid").fetchall()
        )

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        # Rows hold containers' environments, which hold secrets.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        migrate(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, work: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        connection = self._connection
        if connection is None:
            raise RuntimeError("the database is not open")
        # In WAL mode NORMAL does without the fsync of each commit; FULL does it.
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise SystemFailure(
                f"davitd cannot write its state to {self._path}: {error}; "
                "make room on that disk, and check that it can be written to"
            ) from error
        finally:
            if connection.in_transaction:  # SQLite itself has ended some that failed
                connection.execute("ROLLBACK")
        return result

    async def _submit(self, function: Callable[..., T], *args: Any) -> T:
        # Shielded: a cancelled request must not leave the caller unaware of a commit in flight.
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._thread, function, *args))
