"""What a container uses, as the API shows it."""

from __future__ import annotations

from typing import Any

from davit.model import times
from davit.model.stats import BlockEntry, BlockUsage, CpuUsage, MemoryUsage, Stats, Usage

# Counters of an I/O scheduler that kernels no longer have; clients look for the names.
_PAST_COUNTERS = (
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


def stats(seen: Stats) -> dict[str, Any]:
    """``ContainerStatsResponse``. What is not read is zero, or left out, as Docker does."""
    usage, previous = seen.usage, seen.previous
    shown = {
        "name": f"/{seen.name}",
        "id": seen.container_id,
        "read": times.rfc3339(usage.time if usage else 0),
        "preread": times.rfc3339(previous.time if previous else 0),
        "pids_stats": _pids(usage) if usage else {},
        "blkio_stats": _block(usage.block if usage else None),
        # Of Windows, and always there.
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(usage.cpu if usage else None),
        "precpu_stats": _cpu(previous.cpu if previous else None),
        "memory_stats": _memory(usage.memory) if usage else {},
    }
    if usage is not None and usage.interfaces:
        shown["networks"] = usage.interfaces
    return shown


def _pids(usage: Usage) -> dict[str, int]:
    shown = {"current": usage.pids}
    if usage.pids_limit:
        shown["limit"] = usage.pids_limit
    return shown


def _cpu(cpu: CpuUsage | None) -> dict[str, Any]:
    seen = cpu or CpuUsage()
    usage: dict[str, Any] = {"total_usage": seen.total}
    if seen.per_cpu is not None:
        usage["percpu_usage"] = seen.per_cpu
    shown: dict[str, Any] = {
        "cpu_usage": {
            **usage,
            "usage_in_kernelmode": seen.kernel,
            "usage_in_usermode": seen.user,
        },
        "throttling_data": {
            "periods": seen.periods,
            "throttled_periods": seen.throttled_periods,
            "throttled_time": seen.throttled,
        },
    }
    if cpu is not None:
        shown |= {"system_cpu_usage": cpu.system, "online_cpus": cpu.online}
    return shown


def _memory(memory: MemoryUsage) -> dict[str, Any]:
    shown: dict[str, Any] = {"usage": memory.usage, "limit": memory.limit, "stats": memory.stats}
    if memory.max_usage:
        shown["max_usage"] = memory.max_usage
    if memory.failures:
        shown["failcnt"] = memory.failures
    return shown


def _block(block: BlockUsage | None) -> dict[str, Any]:
    shown: dict[str, Any] = dict.fromkeys(
        ("io_service_bytes_recursive", "io_serviced_recursive", *_PAST_COUNTERS)
    )
    if block is not None:
        shown["io_service_bytes_recursive"] = list(map(_entry, block.service_bytes))
        if block.serviced is not None:
            shown["io_serviced_recursive"] = list(map(_entry, block.serviced))
            shown |= {name: [] for name in _PAST_COUNTERS}
    return shown


def _entry(entry: BlockEntry) -> dict[str, Any]:
    return {
        "major": entry.major,
        "minor": entry.minor,
        "op": entry.operation,
        "value": entry.value,
    }
