"""Moving images: pull and push with a registry on loopback, and load. The store is cold each time.

Nothing of the image is on the engine when it is pulled or loaded; a push goes to a registry that is
empty. Moby is measured the same way, by the same requests.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import content
from tests.bench.engines import Engine
from tests.bench.peak import Peak
from tests.bench.report import Row
from tests.engine.registrykit import registry

PEAK = 120
"""MB that davitd may have, whatever the size of a layer."""

_LOADED = "bench/loaded"

Step = Callable[[Engine], object]


@dataclass
class Figures:
    """What one kind of work took on one engine. seconds: of each round; peaks: MB."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)


def measure(
    moby: Engine, davit: Engine, root: Path, rounds: int, moves: Sequence[str]
) -> list[Row]:
    """Compare seconds, and the most memory that the daemons have meanwhile.

    moves: what is measured of ``pull``, ``push`` and ``load``.
    """
    directory = root / "images"
    directory.mkdir()
    big = content.make("big", content.BIG, directory)
    archive = directory / "big.archive"
    big.archive(archive, f"{_LOADED}:latest")
    rows = []
    with registry(directory) as address:
        name = big.put(address)
        if "pull" in moves:
            small = content.make("small", content.SMALL, directory).put(address)
            what = "pull of 200 MB in 5 layers, 20,000 files"
            rows += compare(moby, davit, rounds, _pull(name), what, 0.60, after=_remove(name))
            what = "pull of 4,000 small files in one layer"
            rows += compare(moby, davit, rounds, _pull(small), what, 1.00, after=_remove(small))
        if "load" in moves:
            what = "load of the 200 MB, as docker save has them"
            after = _remove(_LOADED)
            rows += compare(moby, davit, rounds, _load(archive), what, 0.60, after=after)
        if "push" in moves:
            rows += _pushes(moby, davit, rounds, _pull(name), name, "pulled")
            rows += _pushes(moby, davit, rounds, _load(archive), _LOADED, "loaded")
    return rows


def compare(
    moby: Engine,
    davit: Engine,
    rounds: int,
    work: Step,
    what: str,
    budget: float,
    *,
    before: Step = lambda _: None,
    after: Step = lambda _: None,
) -> list[Row]:
    """Time ``work``, between what else has to be done in each round. The engines take turns."""
    figures = {moby.name: Figures(), davit.name: Figures()}
    for number in range(rounds):
        for engine in (moby, davit) if number % 2 else (davit, moby):
            before(engine)
            # What was written before is not to be paid by who comes next.
            os.sync()
            with Peak(engine.pid) as peak:
                start = time.perf_counter()
                work(engine)
                figures[engine.name].seconds.append(time.perf_counter() - start)
            figures[engine.name].peaks.append(peak.megabytes)
            after(engine)
    seconds = [statistics.median(figures[engine.name].seconds) for engine in (moby, davit)]
    times = {name: [round(value, 2) for value in figures[name].seconds] for name in figures}
    print(f"  {what}: {times}", file=sys.stderr, flush=True)
    peaks = [max(figures[engine.name].peaks) for engine in (moby, davit)]
    return [
        Row(what, "s", seconds[0], seconds[1], budget),
        Row("… peak memory", "MB", peaks[0], peaks[1], limit=PEAK),
    ]


def _pushes(
    moby: Engine, davit: Engine, rounds: int, bring: Step, name: str, how: str
) -> list[Row]:
    """Push to a registry that is new in each round."""
    with contextlib.ExitStack() as stack:
        targets: list[str] = []

        def before(engine: Engine) -> None:
            directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="davit-bench-"))
            )
            targets.append(f"{stack.enter_context(registry(directory))}/bench/big")
            bring(engine)
            engine.client.request(
                "POST", f"/images/{name}:latest/tag?repo={targets[-1]}&tag=latest"
            )

        def work(engine: Engine) -> None:
            _stream(engine, f"/images/{targets[-1]}/push?tag=latest")

        def after(engine: Engine) -> None:
            _remove(targets[-1])(engine)
            _remove(name)(engine)
            stack.pop_all().close()

        what = f"push of the 200 MB, {how} before"
        return compare(moby, davit, rounds, work, what, 0.80, before=before, after=after)


def _pull(name: str) -> Step:
    return lambda engine: _stream(engine, f"/images/create?fromImage={name}&tag=latest")


def _load(archive: Path) -> Step:
    def load(engine: Engine) -> None:
        with archive.open("rb") as file:
            _stream(engine, "/images/load", file)

    return load


def _remove(name: str) -> Step:
    """Remove an image with all its layers."""

    def remove(engine: Engine) -> None:
        engine.client.request("DELETE", f"/images/{name}:latest?force=1")
        left = json.loads(engine.client.request("GET", "/images/json?all=1"))
        if any(name in str(image) for image in left):
            raise RuntimeError(f"{engine.name} still has {name}: {left}")

    return remove


def _stream(engine: Engine, path: str, body: object = None) -> None:
    """Send a request that tells of its failure at the end."""
    answer = engine.client.request("POST", path, body)
    if b'"error"' in answer:
        raise RuntimeError(f"{engine.name}: {path}: {answer[-500:]!r}")
