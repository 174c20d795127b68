"""Memory: of the idle daemons, and of what an engine keeps for each running container.

Counted is what /proc/PID/smaps tells, as if the engine were alone on the machine: PSS would make
it smaller by whatever other daemons of the same kind happen to run.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.engines import IMAGE, Engine
from tests.bench.report import Row

SETTLE_SECONDS = 5
KEEPERS = {"conmon", "containerd-shim"}


def measure_idle(moby: Engine, davit: Engine) -> list[Row]:
    """Compare the daemons, started and with one image, in MB."""
    time.sleep(SETTLE_SECONDS)
    return [Row("memory of the idle daemons", "MB", used_by(moby), used_by(davit), 0.40)]


def measure_running(moby: Engine, davit: Engine, count: int) -> list[Row]:
    """Compare what each of count running containers costs, in MB.

    That is the process that keeps it and the growth of the daemons; the container's own processes
    do not count. The daemons have worked before, and are measured once more on the way.
    """
    time.sleep(SETTLE_SECONDS)
    before = {engine.name: used_by(engine) for engine in (moby, davit)}
    for engine in (moby, davit):
        for _ in range(count):
            run_sleeper(engine)
    time.sleep(SETTLE_SECONDS)
    cost = {
        engine.name: (used_by(engine) - before[engine.name]) / count for engine in (moby, davit)
    }
    return [
        Row("memory of the daemons after work", "MB", before[moby.name], before[davit.name], 0.40),
        Row("memory for each running container", "MB", cost[moby.name], cost[davit.name], 0.20),
    ]


def run_sleeper(engine: Engine, network: str = "bridge") -> str:
    """Start a container that does nothing; return its ID."""
    configuration = {
        "Image": IMAGE,
        "Cmd": ["/bin/sleep", "86400"],
        "HostConfig": {"NetworkMode": network},
    }
    created = json.loads(engine.client.request("POST", "/containers/create", configuration))
    engine.client.request("POST", f"/containers/{created['Id']}/start")
    return str(created["Id"])


def used_by(engine: Engine) -> float:
    """Return MB of the daemon, its children and the processes that keep its containers."""
    processes = list(_processes())
    # Keepers detach from the daemon, but their arguments name its directories.
    keepers = {
        process.pid
        for process in processes
        if process.name in KEEPERS and str(engine.root) in process.arguments
    }
    daemons = {engine.pid}
    while (
        more := {process.pid for process in processes if process.parent in daemons}
        - daemons
        - keepers
    ):
        daemons |= more
    return _used_together(daemons | keepers) / 1e6


def _used_together(pids: set[int]) -> int:
    """Return bytes that these processes would use if nobody else ran the same programs.

    Anonymous memory counts by its share, pages of a file once for all of them.
    """
    anonymous = 0
    files: dict[tuple[str, str], int] = {}
    for pid in pids:
        for mapping in _mappings(pid):
            if mapping.inode == "0":
                anonymous += mapping.sizes["Pss"]
                continue
            anonymous += mapping.sizes["Anonymous"]
            clean = mapping.sizes["Rss"] - mapping.sizes["Anonymous"]
            part = (mapping.inode, mapping.offset)
            files[part] = max(files.get(part, 0), clean)
    return anonymous + sum(files.values())


class Mapping(NamedTuple):
    """One entry of /proc/PID/smaps; sizes in bytes."""

    inode: str
    offset: str
    sizes: dict[str, int]


def _mappings(pid: int) -> list[Mapping]:
    mappings: list[Mapping] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            first, *rest = line.split()
            if not first.endswith(":"):
                mappings.append(Mapping(inode=rest[3], offset=rest[1], sizes={}))
            elif rest[-1] == "kB":
                mappings[-1].sizes[first[:-1]] = int(rest[0]) * 1024
    return mappings


class Process(NamedTuple):
    """What /proc tells about one process."""

    pid: int
    parent: int
    name: str
    arguments: str


def _processes() -> Iterator[Process]:
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            before, _, after = (directory / "stat").read_text().rpartition(")")
            yield Process(
                pid=int(directory.name),
                parent=int(after.split()[1]),
                name=before.partition("(")[2],
                arguments=(directory / "cmdline").read_text().replace("\0", " "),
            )
