"""Volumes as the API shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from davit.model import times
from davit.model.volume import Volume, VolumeUsage


def volume(row: Volume, mountpoint: Path) -> dict[str, Any]:
    """``Volume`` of the Engine API."""
    return {
        "Name": row.name,
        "Driver": row.driver,
        "Mountpoint": str(mountpoint),
        "CreatedAt": times.rfc3339(row.created // 10**9 * 10**9),
        "Labels": row.labels or None,
        "Options": row.options or None,
        "Scope": "local",
    }


def usage(entry: VolumeUsage, mountpoint: Path) -> dict[str, Any]:
    """The same with ``UsageData``, for ``GET /system/df``."""
    shown = volume(entry.volume, mountpoint)
    shown["UsageData"] = {"Size": entry.size, "RefCount": entry.users}
    return shown
