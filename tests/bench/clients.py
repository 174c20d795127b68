"""What people type: many ``docker run -d`` at once, ``docker logs`` of much, and a long list."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.engines import IMAGE, Engine, remove_containers
from tests.bench.report import Row

RUNS = 100
AT_ONCE = 8
LISTED = 200
LISTS = 30
LOG_MB = 100
READS = 3


def measure(moby: Engine, davit: Engine) -> list[Row]:
    """Compare the engines as the Docker CLI sees them, and the answer to a long list."""
    return [_logs(moby, davit), *_crowd(moby, davit)]


def _crowd(moby: Engine, davit: Engine) -> list[Row]:
    """Start containers until there are LISTED, RUNS in a batch; then list them."""
    batches = _each(
        moby, davit, LISTED // RUNS, lambda engine, number: _run_many(engine, number * RUNS)
    )
    lists = _each(moby, davit, LISTS, lambda engine, _: _list(engine))
    milliseconds = (lists[0] * 1000, lists[1] * 1000)
    for engine in (moby, davit):
        remove_containers(engine)
    return [
        Row(f"{RUNS} docker run -d, {AT_ONCE} at once", "s", *batches, 0.50),
        Row(f"GET /containers/json, {LISTED} running", "ms", *milliseconds, 1.00),
    ]


def _logs(moby: Engine, davit: Engine) -> Row:
    line = "the quick brown fox jumps over the lazy dog, again and again and again and again"
    script = f"yes '{line}' | head -c {LOG_MB * 10**6}"
    for engine in (moby, davit):
        # davit's busybox image has a shell only; applets are called through busybox itself.
        words = script.replace("yes", "busybox yes").replace("head", "busybox head")
        _docker(engine, "run", "--name=talker", IMAGE, "/bin/sh", "-c", words)
    times = _each(
        moby, davit, READS, lambda engine, _: _timed(lambda: _docker(engine, "logs", "talker"))
    )
    for engine in (moby, davit):
        remove_containers(engine)
    return Row(f"docker logs of {LOG_MB} MB", "s", *times, 1.00)


def _each(
    moby: Engine, davit: Engine, rounds: int, act: Callable[[Engine, int], float]
) -> tuple[float, float]:
    """Median seconds of Moby and davit; they take turns."""
    times: dict[str, list[float]] = {moby.name: [], davit.name: []}
    for number in range(rounds):
        for engine in (moby, davit) if number % 2 else (davit, moby):
            times[engine.name].append(act(engine, number))
    return statistics.median(times[moby.name]), statistics.median(times[davit.name])


def _run_many(engine: Engine, first: int) -> float:
    def run(number: int) -> None:
        _docker(engine, "run", "--detach", f"--name=crowd{number}", IMAGE, "/bin/sleep", "86400")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return _timed(lambda: list(pool.map(run, range(first, first + RUNS))))


def _list(engine: Engine) -> float:
    answers: list[bytes] = []
    duration = _timed(lambda: answers.append(engine.client.request("GET", "/containers/json")))
    found = len(json.loads(answers[0]))
    if found != LISTED:
        raise RuntimeError(f"{engine.name} lists {found} containers instead of {LISTED}")
    return duration


def _timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _docker(engine: Engine, *arguments: str) -> None:
    docker = shutil.which("docker")
    if docker is None:
        raise RuntimeError("no docker; `make peer-deps` installs it")
    subprocess.run(
        [docker, "--host", f"unix://{engine.socket}", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "DOCKER_CONFIG": str(engine.root / "docker")},
    )
