"""The schema, one step a version; a step that has been released is never edited."""

from __future__ import annotations

import sqlite3

_KEYED = "CREATE TABLE {} (key TEXT PRIMARY KEY, body BLOB NOT NULL)"

STEPS: tuple[tuple[str, ...], ...] = (
    tuple(
        _KEYED.format(table)
        for table in ("containers", "images", "networks", "sandboxes", "volumes", "settings")
    ),
    (_KEYED.format("swarm_tasks"),),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that this file lacks, each in a transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in step:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
