# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: limits. Most can be set on a running container, but none can be taken off there."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field, dig
from ansible_collections.davit.fleet.plugins.module_utils._units import size


def _number(value: Any) -> int:
    return int(value or 0)


def _size(name: str, path: str, **more: Any) -> Field:
    return Field(
        name, {"type": "str"}, path, encode=size, canon=_number, default=0, live=bool, **more
    )


def _whole(name: str, path: str, **more: Any) -> Field:
    spec = {"type": "int"}
    return Field(name, spec, path, canon=_number, default=0, live=bool, watched=True, **more)


def _swap(tree: dict[str, Any]) -> tuple[Any, ...]:
    """Twice the memory; 0 before the engine has set it, -1 where the kernel counts no swap."""
    return 2 * _number(dig(tree, "HostConfig.Memory")), 0, -1


def _cpus(value: float) -> int:
    return round(float(value) * 10**9)


def _pids(value: Any) -> int:
    """Unlimited is null, 0 or -1, as the engine likes."""
    return max(int(value or 0), 0)


def _ulimits(value: list[str]) -> list[dict[str, Any]]:
    """``nofile=1024:2048`` or ``nofile:1024:2048``; one number is both limits."""
    result = []
    for item in value:
        name, _sep, limits = item.replace("=", ":", 1).partition(":")
        soft, _sep, hard = limits.partition(":")
        if not re.fullmatch(r"-?\d+(:-?\d+)?", limits):
            raise ValueError(f"{item!r} is not NAME=SOFT[:HARD]")
        result.append({"Name": name, "Soft": int(soft), "Hard": int(hard or soft)})
    return result


def _throttle(name: str, path: str, rate: Any) -> Field:
    return Field(
        name,
        {
            "type": "list",
            "elements": "dict",
            "options": {
                "path": {"type": "path", "required": True},
                "rate": {"type": "str" if rate is size else "int", "required": True},
            },
        },
        path,
        encode=lambda value: [{"Path": item["path"], "Rate": rate(item["rate"])} for item in value],
        canon=lambda value: sorted((item["Path"], item["Rate"]) for item in value or []),
    )


ROWS = [
    _size("memory", "HostConfig.Memory", watched=True),
    _size("memory_reservation", "HostConfig.MemoryReservation", watched=True),
    _size("memory_swap", "HostConfig.MemorySwap", follows=_swap),
    Field(
        "memory_swappiness",
        {"type": "int"},
        "HostConfig.MemorySwappiness",
        canon=lambda value: -1 if value is None else value,
        default=-1,
    ),
    Field(
        "cpus",
        {"type": "float"},
        "HostConfig.NanoCpus",
        encode=_cpus,
        canon=_number,
        default=0,
        live=bool,
        watched=True,
    ),
    _whole("cpu_shares", "HostConfig.CpuShares"),
    _whole("cpu_period", "HostConfig.CpuPeriod"),
    _whole("cpu_quota", "HostConfig.CpuQuota"),
    *(
        Field(
            name,
            {"type": "str"},
            path,
            canon=lambda value: value or "",
            default="",
            live=bool,
            watched=True,
        )
        for name, path in (
            ("cpuset_cpus", "HostConfig.CpusetCpus"),
            ("cpuset_mems", "HostConfig.CpusetMems"),
        )
    ),
    _whole("cpu_rt_period", "HostConfig.CpuRealtimePeriod", since={"": (1, 25)}),
    _whole("cpu_rt_runtime", "HostConfig.CpuRealtimeRuntime", since={"": (1, 25)}),
    _whole("blkio_weight", "HostConfig.BlkioWeight"),
    Field(
        "blkio_weight_device",
        {
            "type": "list",
            "elements": "dict",
            "options": {
                "path": {"type": "path", "required": True},
                "weight": {"type": "int", "required": True},
            },
        },
        "HostConfig.BlkioWeightDevice",
        encode=lambda value: [{"Path": item["path"], "Weight": item["weight"]} for item in value],
        canon=lambda value: sorted((item["Path"], item["Weight"]) for item in value or []),
    ),
    Field(
        "pids_limit",
        {"type": "int"},
        "HostConfig.PidsLimit",
        canon=_pids,
        default=-1,
        live=lambda value: True,
        watched=True,
    ),
    Field("shm_size", {"type": "str"}, "HostConfig.ShmSize", encode=size, default=64 << 20),
    Field("oom_score_adj", {"type": "int"}, "HostConfig.OomScoreAdj", canon=_number, default=0),
    Field(
        "oom_kill_disable",
        {"type": "bool"},
        "HostConfig.OomKillDisable",
        canon=bool,
        default=False,
    ),
    Field(
        "ulimits",
        {"type": "list", "elements": "str"},
        "HostConfig.Ulimits",
        encode=_ulimits,
        canon=lambda value: sorted(
            (item["Name"], item["Soft"], item["Hard"]) for item in value or []
        ),
    ),
    _throttle("device_read_bps", "HostConfig.BlkioDeviceReadBps", size),
    _throttle("device_write_bps", "HostConfig.BlkioDeviceWriteBps", size),
    _throttle("device_read_iops", "HostConfig.BlkioDeviceReadIOps", int),
    _throttle("device_write_iops", "HostConfig.BlkioDeviceWriteIOps", int),
    Field("cgroup_parent", {"type": "path"}, "HostConfig.CgroupParent"),
]
