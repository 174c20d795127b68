"""The readers of both versions of the cgroup interface, on recorded files.

A machine has one version only, so that the other can be tried on records alone; what a real
container has used is in ``tests/engine/api/routes/test_stats.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davit.drivers.cgroup import UsageReader
from davit.model.stats import BlockEntry, InterfaceUsage

GROUP = "davit-1a2b3c4d/0f"
_MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
_PROC = {
    "stat": "cpu  100 1 50 1000 20 3 4 7 0 0\ncpu0 50 1 25 500 10 3 4 7 0 0\nintr 5\n",
    "12/net/dev": (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
        "    lo:     500       5    0    0    0     0          0         0      500       5    0 "
        "   0    0     0       0          0\n"
        "  eth0:12345678      11    1    2    0     0          0         9     2048       7    3 "
        "   4    0     0       0          0\n"
    ),
}
_V1 = {
    "cpuacct/{}/cpuacct.usage": "830000123\n",
    "cpuacct/{}/cpuacct.usage_percpu": "430000100 400000023 \n",
    "cpuacct/{}/cpuacct.stat": "user 80\nsystem 3\n",
    "cpu/{}/cpu.stat": "nr_periods 16\nnr_throttled 15\nthrottled_time 450180668\nnr_bursts 0\n",
    "memory/{}/memory.usage_in_bytes": "446464\n",
    "memory/{}/memory.max_usage_in_bytes": "3039232\n",
    "memory/{}/memory.limit_in_bytes": "67108864\n",
    "memory/{}/memory.failcnt": "2\n",
    "memory/{}/memory.stat": "cache 4096\ntotal_inactive_file 8192\n",
    "pids/{}/pids.current": "3\n",
    "pids/{}/pids.max": "20\n",
    "blkio/{}/blkio.bfq.io_service_bytes_recursive": "Total 0\n",
    "blkio/{}/blkio.throttle.io_service_bytes_recursive": (
        "254:16 Read 819200\n254:16 Write 4096\n254:16 Total 823296\nTotal 823296\n"
    ),
    "blkio/{}/blkio.throttle.io_serviced_recursive": "254:16 Read 20\nTotal 20\n",
}
# Recorded on a host with the unified hierarchy; io.stat names a device without counters, too.
_V2 = {
    "{}/cpu.stat": (
        "usage_usec 830123\nuser_usec 800100\nsystem_usec 30023\nnice_usec 0\n"
        "core_sched.force_idle_usec 0\nnr_periods 16\nnr_throttled 15\nthrottled_usec 450180\n"
        "nr_bursts 0\nburst_usec 0\n"
    ),
    "{}/memory.current": "446464\n",
    "{}/memory.max": "67108864\n",
    "{}/memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n",
    "{}/memory.stat": "anon 57344\nfile 4096\ninactive_file 8192\n",
    "{}/pids.current": "3\n",
    "{}/pids.max": "20\n",
    "{}/io.stat": (
        "254:16 rbytes=819200 wbytes=4096 rios=20 wios=1 dbytes=0 dios=0\n"
        "7:0 \n"
        "254:0 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
    ),
}


def reader(tmp_path: Path, version: int, files: dict[str, str]) -> UsageReader:
    for root, contents in (("cgroup", files), ("proc", _PROC)):
        for name, text in contents.items():
            path = tmp_path / root / name.format(GROUP)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return UsageReader(version, tmp_path / "cgroup", tmp_path / "proc")


def entry(major: int, minor: int, operation: str, value: int) -> BlockEntry:
    return BlockEntry(major=major, minor=minor, operation=operation, value=value)


def test_version_1(tmp_path: Path) -> None:
    usage = reader(tmp_path, 1, _V1).read(f"/{GROUP}", 12)
    assert usage is not None
    cpu, memory = usage.cpu, usage.memory
    assert (cpu.total, cpu.user, cpu.kernel) == (830000123, 800000000, 30000000)
    assert cpu.per_cpu == [430000100, 400000023]
    assert (cpu.periods, cpu.throttled_periods, cpu.throttled) == (16, 15, 450180668)
    assert (memory.usage, memory.max_usage, memory.failures) == (446464, 3039232, 2)
    assert memory.limit == 67108864
    assert memory.stats == {"cache": 4096, "total_inactive_file": 8192}
    assert (usage.pids, usage.pids_limit) == (3, 20)
    assert usage.block.service_bytes == [
        entry(254, 16, "Read", 819200),
        entry(254, 16, "Write", 4096),
        entry(254, 16, "Total", 823296),
    ]
    assert usage.block.serviced == [entry(254, 16, "Read", 20)]


def test_version_2(tmp_path: Path) -> None:
    usage = reader(tmp_path, 2, _V2).read(f"/{GROUP}", 12)
    assert usage is not None
    cpu, memory = usage.cpu, usage.memory
    assert (cpu.total, cpu.user, cpu.kernel) == (830123000, 800100000, 30023000)
    assert cpu.per_cpu is None
    assert (cpu.periods, cpu.throttled_periods, cpu.throttled) == (16, 15, 450180000)
    assert (memory.usage, memory.max_usage, memory.failures) == (446464, 0, 2)
    assert memory.limit == 67108864
    assert memory.stats == {"anon": 57344, "file": 4096, "inactive_file": 8192}
    assert (usage.pids, usage.pids_limit) == (3, 20)
    assert usage.block.service_bytes == [
        entry(254, 16, "read", 819200),
        entry(254, 16, "write", 4096),
        entry(254, 0, "read", 512),
        entry(254, 0, "write", 0),
    ]
    assert usage.block.serviced is None


def test_a_scheduler_that_shares_out_io_is_asked_first(tmp_path: Path) -> None:
    bfq = {"blkio/{}/blkio.bfq.io_service_bytes_recursive": "8:0 Read 7\nTotal 7\n"}
    usage = reader(tmp_path, 1, {**_V1, **bfq}).read(GROUP, 12)
    assert usage is not None
    assert usage.block.service_bytes == [entry(8, 0, "Read", 7)]


@pytest.mark.parametrize(
    ("version", "files", "unlimited"),
    [
        (1, _V1, {"memory/{}/memory.limit_in_bytes": "9223372036854771712\n"}),
        (2, _V2, {"{}/memory.max": "max\n"}),
    ],
)
def test_no_limit_is_what_the_machine_has(
    tmp_path: Path, version: int, files: dict[str, str], unlimited: dict[str, str]
) -> None:
    usage = reader(tmp_path, version, {**files, **unlimited}).read(GROUP, 12)
    assert usage is not None
    assert usage.memory.limit == _MACHINE


def test_the_machine_and_the_interfaces(tmp_path: Path) -> None:
    reading = reader(tmp_path, 2, _V2)
    usage = reading.read(GROUP, 12)
    assert usage is not None
    # Without steal time; ticks are 10 ms.
    assert usage.cpu.system == (100 + 1 + 50 + 1000 + 20 + 3 + 4) * 10**7
    assert usage.cpu.online == os.sysconf("SC_NPROCESSORS_ONLN")
    assert usage.interfaces == {
        "eth0": InterfaceUsage(
            rx_bytes=12345678,
            rx_packets=11,
            rx_errors=1,
            rx_dropped=2,
            tx_bytes=2048,
            tx_packets=7,
            tx_errors=3,
            tx_dropped=4,
        )
    }
    on_host = reading.read(GROUP, 12, interfaces=False)
    assert on_host is not None
    assert on_host.interfaces is None
    ended = reading.read(GROUP, 13)
    assert ended is not None
    assert ended.interfaces == {}


@pytest.mark.parametrize(("version", "files"), [(1, _V1), (2, _V2)])
def test_a_group_that_is_gone(tmp_path: Path, version: int, files: dict[str, str]) -> None:
    assert reader(tmp_path, version, files).read("davit-1a2b3c4d/none", 12) is None
