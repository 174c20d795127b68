"""Where the time of one container's life goes: ``python -m tests.bench.steps``.

Prints three tables: what each request takes on both engines, what davitd does meanwhile (some of
it at the same time), and what conmon and runc need by themselves on the same machine. All lives
take turns, so that drift hits them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.engines import (
    Engine,
    enter_namespaces,
    import_busybox,
    start_davit,
    start_moby,
)
from tests.bench.floor import PHASES, Floor
from tests.bench.lifecycle import WARM_UP, requests_of_a_life
from tests.bench.traced import ROW_ONLY, STEPS

NETWORKS = ("bridge", "none")
REQUESTS = ("create", "start", "wait", "remove")
Lives = dict[str, list[dict[str, float]]]
"""Name of a kind of life → for each of them the seconds of its parts."""


def main() -> int:
    """Take turns; print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="lives for each median")
    rounds = parser.parse_args().rounds
    enter_namespaces("tests.bench.steps")
    with tempfile.TemporaryDirectory(prefix="davit-bench-") as directory:
        root = Path(directory)
        calls = root / "calls.json"
        with (
            start_moby(root / "moby") as moby,
            start_davit(root / "davit", program=("-m", "tests.bench.traced", str(calls))) as davit,
        ):
            for engine in (moby, davit):
                import_busybox(engine)
            lives, spans = take_turns(moby, davit, Floor(davit, root / "floor"), rounds)
        steps = steps_of(json.loads(calls.read_text(encoding="utf-8")), spans)
    print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {rounds} lives of each\n")
    bare = {"alone": lives.pop("alone")}
    print(table("request, ms", REQUESTS, lives, total=True))
    print(table("step of davitd, ms", [*STEPS, ROW_ONLY], steps))
    print(table("conmon and runc, ms", PHASES, bare, total=True))
    return 0


def take_turns(
    moby: Engine, davit: Engine, floor: Floor, rounds: int
) -> tuple[Lives, dict[str, list[tuple[int, int]]]]:
    """Return all lives, and when each of davitd's was (ns), by network."""
    lives: Lives = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for turn in range(WARM_UP + rounds):
        if turn == WARM_UP:
            lives.clear()
            spans.clear()
        for network in NETWORKS:
            lives.setdefault(f"Moby, {network}", []).append(requests_of_a_life(moby, network))
            start = time.monotonic_ns()
            lives.setdefault(f"davit, {network}", []).append(requests_of_a_life(davit, network))
            # What it does after its answer belongs to this life as well.
            time.sleep(0.2)
            spans.setdefault(f"davit, {network}", []).append((start, time.monotonic_ns()))
        lives.setdefault("alone", []).append(floor.live_once(turn))
    return lives, spans


def steps_of(
    calls: Iterable[tuple[str, int, int]], spans: Mapping[str, list[tuple[int, int]]]
) -> Lives:
    """Sum up the calls of each life, by step."""
    steps: Lives = {name: [{} for _ in held] for name, held in spans.items()}
    places = [
        (first, last, steps[name][n])
        for name in spans
        for n, (first, last) in enumerate(spans[name])
    ]
    for step, start, end in calls:
        for first, last, life in places:
            if first <= start <= last:
                life[step] = life.get(step, 0) + (end - start) / 1e9
    return steps


def table(title: str, parts: Sequence[str], lives: Lives, *, total: bool = False) -> str:
    """Return a Markdown table of medians in ms: a row for each part, a column for each kind.

    total: add a row for all parts together; not for parts that work at the same time.
    """
    if total:
        lives = {
            kind: [{**life, "all": sum(life.values())} for life in lives[kind]] for kind in lives
        }
        parts = [*parts, "all"]
    rows = [
        [part, *(_median([life.get(part, 0.0) for life in held]) for held in lives.values())]
        for part in parts
    ]
    lines = [[title, *lives], ["---", *["--:"] * len(lives)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _median(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f}"


if __name__ == "__main__":
    sys.exit(main())
