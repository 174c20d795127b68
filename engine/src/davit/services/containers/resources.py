"""Pure: limits that a request may set. Numbers and words as in the Engine API's documentation."""

from __future__ import annotations

import re

import msgspec

from davit.errors import InvalidParameter
from davit.model.config import HostConfig
from davit.model.host import HostFacts

MIN_MEMORY = 6 << 20
NO_KERNEL_MEMORY = (
    "Your kernel does not support kernel memory limit capabilities or the cgroup is not mounted. "
    "Limitation discarded."
)
_CPUSET = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*\Z")


def check(host: HostConfig, *, cpus: int, memory_nodes: str = "0") -> list[str]:
    """Raise InvalidParameter for the first limit that cannot be; return warnings.

    cpus: how many this machine has; memory_nodes: which, ``0-1``.
    """
    _check_memory(host)
    _check_cpu(host, cpus)
    if host.cpuset_mems and not _numbers(host.cpuset_mems) <= _numbers(memory_nodes):
        raise InvalidParameter(
            f"Requested memory nodes are not available - requested {host.cpuset_mems}, "
            f"available: {memory_nodes}"
        )
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if host.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidParameter(
            f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    for ulimit in host.ulimits:
        if not ulimit.name:
            raise InvalidParameter("invalid ulimit: a name is needed")
        if ulimit.hard != -1 and (ulimit.soft > ulimit.hard or ulimit.soft == -1):
            raise InvalidParameter(
                f"ulimit {ulimit.name}: soft limit must be less than or equal to hard limit: "
                f"{ulimit.soft} > {ulimit.hard}"
            )
    if host.oom_kill_disable and not host.memory:
        return [
            "OOM killer is disabled for the container, but no memory limit is set, this can result "
            "in the system running out of resources."
        ]
    return []


def discard(host: HostConfig, facts: HostFacts) -> tuple[HostConfig, list[str]]:
    """Return the options without limits that no kernel like this one has, and Docker's warnings."""
    warnings = []
    if host.kernel_memory or host.kernel_memory_tcp:
        # Linux 5.16 has dropped the one, and cgroup v2 never had either.
        host = msgspec.structs.replace(host, kernel_memory=0, kernel_memory_tcp=0)
        warnings.append(NO_KERNEL_MEMORY)
    if host.memory > 0 and host.memory_swap != -1 and not facts.swap_accounting:
        host = msgspec.structs.replace(host, memory_swap=-1)
        warnings.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
            "Memory limited without swap."
        )
    return host, warnings


def check_realtime(host: HostConfig, *, is_there: bool) -> None:
    """Raise InvalidParameter for a share of the real-time scheduler that cannot be."""
    period, runtime = host.cpu_realtime_period, host.cpu_realtime_runtime
    if not (period or runtime):
        return
    if not is_there:
        raise InvalidParameter("Your kernel does not support CPU real-time scheduler")
    if period < 0 or runtime < 0:
        raise InvalidParameter("cpu real-time period and runtime cannot be negative")
    if period and runtime > period:
        raise InvalidParameter("cpu real-time runtime cannot be higher than cpu real-time period")


def _numbers(text: str) -> set[int]:
    """What a set such as ``0-3,5`` holds; of a range no more than the kernel's 1024 nodes."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), min(int(last or first), int(first) + 1024) + 1))
    return found


def _check_memory(host: HostConfig) -> None:
    memory, swap, reservation = host.memory, host.memory_swap, host.memory_reservation
    if memory and memory < MIN_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if memory and swap > 0 and swap < memory:
        raise InvalidParameter(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if swap > 0 and not memory:
        raise InvalidParameter(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    if reservation and reservation < MIN_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if reservation and memory and memory < reservation:
        raise InvalidParameter(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    swappiness = host.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidParameter(
            f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
        )


def _check_cpu(host: HostConfig, cpus: int) -> None:
    if host.nano_cpus:
        for name, value in (("Period", host.cpu_period), ("Quota", host.cpu_quota)):
            if value:
                raise InvalidParameter(
                    f"Conflicting options: Nano CPUs and CPU {name} cannot both be set."
                )
        if not 0 < host.nano_cpus <= cpus * 10**9:
            raise InvalidParameter(
                f"Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available"
            )
    if host.cpu_shares < 0:
        raise InvalidParameter(
            f"invalid CPU shares ({host.cpu_shares}): value must be a positive integer"
        )
    if host.cpu_period and not 1000 <= host.cpu_period <= 1000000:
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < host.cpu_quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    for name, text in (("Cpus", host.cpuset_cpus), ("Mems", host.cpuset_mems)):
        if text and not _CPUSET.match(text):
            raise InvalidParameter(
                f"Invalid value {text} for cpuset {name.lower()}: use 0-3 or 0,1"
            )
    if host.cpuset_cpus:
        last = max(int(number) for number in re.findall(r"\d+", host.cpuset_cpus))
        if last >= cpus:
            raise InvalidParameter(
                f"Requested CPUs are not available - requested {host.cpuset_cpus}, "
                f"available: 0-{cpus - 1}"
            )
