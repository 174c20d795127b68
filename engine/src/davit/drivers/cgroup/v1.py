"""cgroup v1: one directory of the container in each controller's hierarchy.

Sources: Documentation/admin-guide/cgroup-v1: cpuacct.rst, memory.rst, blkio-controller.rst,
pids.rst.
"""

from __future__ import annotations

import os
from pathlib import Path

from davit.drivers.cgroup import files
from davit.model.stats import BlockEntry, BlockUsage, CpuUsage, MemoryUsage

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")


def exists(root: Path, below: str) -> bool:
    return (root / "memory" / below).is_dir()


def cpu(root: Path, below: str) -> CpuUsage:
    account, scheduler = root / "cpuacct" / below, root / "cpu" / below
    ticks = files.table(account / "cpuacct.stat")
    throttling = files.table(scheduler / "cpu.stat")
    return CpuUsage(
        total=files.number(account / "cpuacct.usage"),
        kernel=ticks.get("system", 0) * _TICK,
        user=ticks.get("user", 0) * _TICK,
        per_cpu=[int(time) for time in files.read(account / "cpuacct.usage_percpu").split()],
        periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled=throttling.get("throttled_time", 0),
    )


def memory(root: Path, below: str) -> MemoryUsage:
    group = root / "memory" / below
    return MemoryUsage(
        usage=files.number(group / "memory.usage_in_bytes"),
        limit=files.number(group / "memory.limit_in_bytes"),
        failures=files.number(group / "memory.failcnt"),
        max_usage=files.number(group / "memory.max_usage_in_bytes"),
        stats=files.table(group / "memory.stat"),
    )


def block(root: Path, below: str) -> BlockUsage:
    group = root / "blkio" / below
    return BlockUsage(
        service_bytes=_entries(group, "io_service_bytes_recursive"),
        serviced=_entries(group, "io_serviced_recursive"),
    )


def pids(root: Path, below: str) -> tuple[int, int]:
    """Return how many there are and how many there may be, 0 for no limit."""
    group = root / "pids" / below
    return files.number(group / "pids.current"), files.number(group / "pids.max")


def _entries(group: Path, name: str) -> list[BlockEntry]:
    """Lines ``MAJOR:MINOR OPERATION NUMBER``; a last line ``Total NUMBER`` is over all devices.

    A scheduler that shares out I/O counts more than the throttling layer above it, so its file
    is asked first; without such a scheduler it has no devices.
    """
    for source in ("blkio.bfq", "blkio.throttle"):
        lines = map(str.split, files.read(group / f"{source}.{name}").splitlines())
        found = []
        for device, operation, value in (line for line in lines if len(line) == 3):
            major, _, minor = device.partition(":")
            found.append(
                BlockEntry(
                    major=int(major), minor=int(minor), operation=operation, value=int(value)
                )
            )
        if found:
            return found
    return []
