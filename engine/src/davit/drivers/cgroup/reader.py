"""One reading of everything that a container has used: cgroup, CPUs of the machine, interfaces."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from davit.drivers.cgroup import v1, v2
from davit.model import times
from davit.model.stats import CpuUsage, InterfaceUsage, MemoryUsage, Usage

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
# proc(5), /proc/stat: user, nice, system, idle, iowait, irq, softirq. Steal and guest time follow;
# Docker's clients compute shares of the time without them.
_CPU_FIELDS = 7
# Loopback, and what tunnel modules put into every namespace (sysctl fb_tunnels_only_for_init_net).
_NOT_PLUGGED = frozenset(
    {
        *("lo", "tunl0", "sit0", "ip6tnl0", "gre0", "ip6gre0", "gretap0", "erspan0"),
        *("ip_vti0", "ip6_vti0"),
    }
)


class UsageReader:
    """version: of the cgroup interface, 1 or 2; root: where it is mounted."""

    def __init__(self, version: int, root: Path, proc: Path = Path("/proc")) -> None:
        self._group = v2 if version == 2 else v1
        self._root = root
        self._proc = proc
        self._memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def read(self, cgroup: str, pid: int, *, interfaces: bool = True) -> Usage | None:
        """Return what a container has used so far; None when its cgroup is not there. Blocking.

        cgroup: path below the root. pid: a process in its network namespace. interfaces: whether
        that namespace is a container's.
        """
        below = cgroup.strip("/")
        group, root = self._group, self._root
        if not group.exists(root, below):
            return None
        pids, pids_limit = group.pids(root, below)
        return Usage(
            time=times.now(),
            cpu=self._with_machine(group.cpu(root, below)),
            memory=self._capped(group.memory(root, below)),
            block=group.block(root, below),
            pids=pids,
            pids_limit=pids_limit,
            interfaces=self._interfaces(pid) if interfaces else None,
        )

    def _with_machine(self, cpu: CpuUsage) -> CpuUsage:
        first = (self._proc / "stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = sum(map(int, first.split()[1 : 1 + _CPU_FIELDS]))
        return replace(cpu, system=ticks * _TICK, online=os.sysconf("SC_NPROCESSORS_ONLN"))

    def _capped(self, memory: MemoryUsage) -> MemoryUsage:
        """No limit, or more than there is, means the machine's memory."""
        return replace(memory, limit=min(memory.limit or self._memory, self._memory))

    def _interfaces(self, pid: int) -> dict[str, InterfaceUsage]:
        """``/proc/PID/net/dev`` (proc(5)): 8 numbers received, 8 sent, for each interface."""
        try:
            lines = (self._proc / str(pid) / "net/dev").read_text(encoding="ascii").splitlines()
        except OSError:
            return {}  # The process has ended meanwhile.
        found = {}
        for line in lines[2:]:
            name, _, rest = line.partition(":")
            numbers = list(map(int, rest.split()))
            if name.strip() not in _NOT_PLUGGED:
                found[name.strip()] = InterfaceUsage(
                    rx_bytes=numbers[0],
                    rx_packets=numbers[1],
                    rx_errors=numbers[2],
                    rx_dropped=numbers[3],
                    tx_bytes=numbers[8],
                    tx_packets=numbers[9],
                    tx_errors=numbers[10],
                    tx_dropped=numbers[11],
                )
        return found
