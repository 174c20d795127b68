import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from davit.store.db import Database
from davit.store.migrations import STEPS, migrate


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "state.db")
    await database.open()
    yield database
    await database.close()


async def test_rows_survive_reopening(db: Database, tmp_path: Path) -> None:
    await db.put("volumes", "a", b"1")
    await db.put("volumes", "b", b"2", durable=False)
    await db.put("volumes", "a", b"3")
    await db.delete("volumes", "b")
    other = Database(tmp_path / "state.db")
    await other.open()
    assert await other.load("volumes") == [("a", b"3")]
    await other.close()


async def test_a_failed_transaction_changes_nothing(db: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO volumes VALUES ('a', '1')")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        await db.run(work)
    assert await db.load("volumes") == []


async def test_a_cancelled_caller_does_not_cut_a_commit(db: Database) -> None:
    task = asyncio.create_task(db.put("volumes", "a", b"1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await db.load("volumes") == [("a", b"1")]


async def test_writes_of_many_tasks_are_one_after_the_other(db: Database) -> None:
    await asyncio.gather(*(db.put("volumes", str(n), b"x", durable=False) for n in range(50)))
    assert len(await db.load("volumes")) == 50


def test_migrating_twice_is_migrating_once(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    migrate(connection)
    migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    connection.close()
