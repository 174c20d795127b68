"""cgroup v2: one directory for all controllers. Source: Documentation/admin-guide/cgroup-v2.rst."""

from __future__ import annotations

from pathlib import Path

from davit.drivers.cgroup import files
from davit.model.stats import BlockEntry, BlockUsage, CpuUsage, MemoryUsage

_MICROSECOND = 1000


def exists(root: Path, below: str) -> bool:
    return (root / below).is_dir()


def cpu(root: Path, below: str) -> CpuUsage:
    stat = files.table(root / below / "cpu.stat")
    return CpuUsage(
        total=stat.get("usage_usec", 0) * _MICROSECOND,
        kernel=stat.get("system_usec", 0) * _MICROSECOND,
        user=stat.get("user_usec", 0) * _MICROSECOND,
        periods=stat.get("nr_periods", 0),
        throttled_periods=stat.get("nr_throttled", 0),
        throttled=stat.get("throttled_usec", 0) * _MICROSECOND,
    )


def memory(root: Path, below: str) -> MemoryUsage:
    group = root / below
    return MemoryUsage(
        usage=files.number(group / "memory.current"),
        limit=files.number(group / "memory.max"),
        failures=files.table(group / "memory.events").get("oom", 0),
        stats=files.table(group / "memory.stat"),
    )


def block(root: Path, below: str) -> BlockUsage:
    """``io.stat``: lines ``MAJOR:MINOR rbytes=N wbytes=N rios=N …``."""
    found = []
    for line in files.read(root / below / "io.stat").splitlines():
        device, *fields = line.split()
        major, _, minor = device.partition(":")
        counters = dict(field.split("=", 1) for field in fields if "=" in field)
        if not minor.isdecimal() or "rbytes" not in counters:
            continue
        for operation, name in (("read", "rbytes"), ("write", "wbytes")):
            found.append(
                BlockEntry(
                    major=int(major),
                    minor=int(minor),
                    operation=operation,
                    value=int(counters.get(name, 0)),
                )
            )
    return BlockUsage(service_bytes=found)


def pids(root: Path, below: str) -> tuple[int, int]:
    """Return how many there are and how many there may be, 0 for no limit."""
    return files.number(root / below / "pids.current"), files.number(root / below / "pids.max")
