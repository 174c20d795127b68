"""Start both engines, run every measurement, print the table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from tests.bench import builds, clients, images, lifecycle, memory, playbook, report, swarm
from tests.bench.engines import (
    Engine,
    disk,
    enter_namespaces,
    import_busybox,
    start_davit,
    start_moby,
)

MOVES = ["pull", "push", "load"]
SUBJECTS = ["lifecycle", "memory", "clients", *MOVES, "build", "playbook", "swarm"]


def main() -> int:
    """Run the benchmark; return the exit code."""
    options = parse_arguments()
    enter_namespaces("tests.bench")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    with contextlib.ExitStack() as stack:
        root = stack.enter_context(disk())
        moby = stack.enter_context(start_moby(root / "moby"))
        davit = stack.enter_context(start_davit(root / "davit"))
        for engine in (moby, davit):
            import_busybox(engine)
        rows = measure(moby, davit, root, options)
        machine = describe_machine(moby, davit)

    print(report.table(rows, machine))
    if options.json:
        options.json.write_text(report.as_json(rows, machine), encoding="utf-8")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="container lives for each median")
    parser.add_argument("--plays", type=int, default=5, help="playbook runs for each median")
    parser.add_argument("--containers", type=int, default=20, help="containers in each playbook")
    parser.add_argument("--running", type=int, default=10, help="containers for the memory of each")
    parser.add_argument("--moves", type=int, default=5, help="pulls, pushes, loads for each median")
    parser.add_argument("--tasks", type=int, default=300, help="tasks of the swarm's service")
    parser.add_argument("--services", type=int, default=3, help="services for each median")
    parser.add_argument("--json", type=Path, help="write the numbers into this file, too")
    parser.add_argument(
        "--only",
        choices=SUBJECTS,
        nargs="+",
        default=SUBJECTS,
    )
    return parser.parse_args()


def measure(
    moby: Engine, davit: Engine, root: Path, options: argparse.Namespace
) -> list[report.Row]:
    """Run the chosen measurements, from idle engines to busy ones."""
    rows: list[report.Row] = []
    if "memory" in options.only:
        say("idle memory")
        rows += memory.measure_idle(moby, davit)
    if "lifecycle" in options.only:
        for network in ("bridge", "none"):
            say(f"{options.rounds} container lives on each engine, network {network}")
            rows += lifecycle.measure(moby, davit, network, options.rounds)
    if "memory" in options.only:
        say(f"{options.running} running containers on each engine")
        rows += memory.measure_running(moby, davit, options.running)
    if "clients" in options.only:
        say("docker logs, docker run -d and docker ps on each engine")
        rows += clients.measure(moby, davit)
    if moves := [move for move in MOVES if move in options.only]:
        say(f"{options.moves} times {', '.join(moves)} of each image on each engine")
        rows += images.measure(moby, davit, root, options.moves, moves)
    if "build" in options.only:
        say("builds of ten steps on each engine")
        rows += builds.measure(moby, davit, options.moves)
    if "playbook" in options.only:
        say(f"{options.plays} unchanged runs of each playbook")
        rows += playbook.measure(moby, davit, root, options.plays, options.containers)
    if "swarm" in options.only:
        say(f"{options.services} times {options.tasks} tasks on workers of each kind")
        rows += swarm.measure(root, options.tasks, options.services)
    return rows


def describe_machine(moby: Engine, davit: Engine) -> dict[str, str]:
    """Return what the numbers depend on: name → value."""
    memory_kb = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    os_release = platform.freedesktop_os_release()
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "cpus": str(os.cpu_count()),
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "system": f"{os_release['PRETTY_NAME']}, kernel {platform.release()}",
        "python": platform.python_version(),
        "runc": subprocess.run(
            ["runc", "--version"], check=True, capture_output=True, text=True
        ).stdout.split()[2],
        moby.name: version_of(moby),
        davit.name: version_of(davit),
    }


def version_of(engine: Engine) -> str:
    """Return the version that an engine reports."""
    # The engine may have closed a connection that was idle for long.
    engine.client.close()
    version = json.loads(engine.client.request("GET", "/version"))
    return str(version["Version"])


def say(text: str) -> None:
    """Report progress at once, also through a pipe."""
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
