"""cgroup limits: ``HostConfig`` → OCI ``linux.resources`` (the runtime converts for cgroup v2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from davit.errors import InvalidParameter
from davit.model.config import HostConfig, ThrottleDevice
from davit.model.host import HostDevice
from davit.spec.facts import SpecFacts

CPU_PERIOD = 100_000
"""Microseconds: the kernel's own default (Documentation/scheduler/sched-bwc.rst)."""


def build(host: HostConfig, facts: SpecFacts) -> dict[str, Any]:
    """Return the resources of a starting container, without its device rules."""
    resources = limits(host, swap_accounting=facts.host.swap_accounting)
    block = _block_io(host, facts.devices)
    if block:
        resources["blockIO"] = block
    return resources


def limits(host: HostConfig, *, swap_accounting: bool = True) -> dict[str, Any]:
    """Return what an update of a running container may change, too.

    Memory without ``MemorySwap`` gets as much swap again, as with Docker.
    """
    resources: dict[str, Any] = {}
    if memory := _memory(host, swap_accounting):
        resources["memory"] = memory
    if cpu := _cpu(host):
        resources["cpu"] = cpu
    if host.pids_limit:
        resources["pids"] = {"limit": max(host.pids_limit, -1)}
    if host.blkio_weight:
        resources["blockIO"] = {"weight": host.blkio_weight}
    return resources


def _memory(host: HostConfig, swap_accounting: bool) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if host.memory:
        memory["limit"] = host.memory
        if swap_accounting:
            memory["swap"] = host.memory_swap or 2 * host.memory
    elif host.memory_swap and swap_accounting:
        memory["swap"] = host.memory_swap
    if host.memory_reservation:
        memory["reservation"] = host.memory_reservation
    if host.memory_swappiness is not None and host.memory_swappiness >= 0:
        memory["swappiness"] = host.memory_swappiness
    if host.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(host: HostConfig) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host.nano_cpus:
        cpu |= {"period": CPU_PERIOD, "quota": host.nano_cpus * CPU_PERIOD // 10**9}
    if host.cpu_period:
        cpu["period"] = host.cpu_period
    if host.cpu_quota:
        cpu["quota"] = host.cpu_quota
    if host.cpu_shares:
        cpu["shares"] = host.cpu_shares
    if host.cpu_realtime_period:
        cpu["realtimePeriod"] = host.cpu_realtime_period
    if host.cpu_realtime_runtime:
        cpu["realtimeRuntime"] = host.cpu_realtime_runtime
    if host.cpuset_cpus:
        cpu["cpus"] = host.cpuset_cpus
    if host.cpuset_mems:
        cpu["mems"] = host.cpuset_mems
    return cpu


def _block_io(host: HostConfig, devices: Mapping[str, list[HostDevice]]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if host.blkio_weight:
        block["weight"] = host.blkio_weight
    if host.blkio_weight_device:
        block["weightDevice"] = [
            {**_numbers(entry.path, devices), "weight": entry.weight}
            for entry in host.blkio_weight_device
        ]
    throttles: dict[str, list[ThrottleDevice]] = {
        "throttleReadBpsDevice": host.blkio_device_read_bps,
        "throttleWriteBpsDevice": host.blkio_device_write_bps,
        "throttleReadIOPSDevice": host.blkio_device_read_i_ops,
        "throttleWriteIOPSDevice": host.blkio_device_write_i_ops,
    }
    for name, entries in throttles.items():
        if entries:
            block[name] = [
                {**_numbers(entry.path, devices), "rate": entry.rate} for entry in entries
            ]
    return block


def _numbers(path: str, devices: Mapping[str, list[HostDevice]]) -> dict[str, int]:
    for device in devices.get(path, []):
        if device.kind == "b":
            return {"major": device.major, "minor": device.minor}
    raise InvalidParameter(f"block I/O limit: {path} is not a block device of this host")
