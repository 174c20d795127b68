"""What builds keep, as clients see it."""

from __future__ import annotations

from typing import Any

from davit.model import times
from davit.model.build import CacheRecord

_PARENTS = (1, 42)


def record(entry: CacheRecord, version: tuple[int, int]) -> dict[str, Any]:
    """A record of ``GET /system/df``. davit does not count how often one was used."""
    shown: dict[str, Any] = {
        "ID": entry.id,
        "Type": entry.kind,
        "Description": entry.description,
        "InUse": entry.is_used,
        "Shared": entry.is_shared,
        "Size": entry.size,
        "CreatedAt": times.rfc3339(entry.created),
        "LastUsedAt": None,
        "UsageCount": 0,
    }
    if version < _PARENTS:
        return {**shown, "Parent": entry.parent}
    return {**shown, "Parents": [entry.parent] if entry.parent else []}
