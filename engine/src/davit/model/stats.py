"""What a container uses, as one reading of the kernel's counters tells it."""

from __future__ import annotations

import msgspec


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Times are nanoseconds since the container's start, over all CPUs.

    per_cpu: by CPU, None where the kernel does not keep it (cgroup v2). system: what all of the
    machine's CPUs have been through, idle or not, since the boot. online: CPUs of the machine.
    """

    total: int = 0
    kernel: int = 0
    user: int = 0
    per_cpu: list[int] | None = None
    periods: int = 0
    throttled_periods: int = 0
    throttled: int = 0
    system: int = 0
    online: int = 0


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. limit: at most what the machine has. max_usage: cgroup v1 only.

    failures: how often the limit was hit (v1), how often memory had run out (v2).
    stats: ``memory.stat``, the names of which differ between v1 and v2.
    """

    usage: int
    limit: int
    failures: int = 0
    max_usage: int = 0
    stats: dict[str, int] = {}


class BlockEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A counter of one block device. operation: ``Read``, ``Write``, … (v1); ``read`` … (v2)."""

    major: int
    minor: int
    operation: str
    value: int


class BlockUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes and operations of block devices. serviced: None on cgroup v2."""

    service_bytes: list[BlockEntry] = []
    serviced: list[BlockEntry] | None = None


class InterfaceUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of a network interface."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. time: ns since the epoch. pids_limit: 0 for none.

    interfaces: by name in the container; None when it has the host's network, or none.
    """

    time: int
    cpu: CpuUsage
    memory: MemoryUsage
    block: BlockUsage
    pids: int
    pids_limit: int = 0
    interfaces: dict[str, InterfaceUsage] | None = None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /containers/{id}/stats`` tells at once: a reading and the one before it.

    usage: None when the container does not run.
    """

    container_id: str
    name: str
    usage: Usage | None = None
    previous: Usage | None = None
