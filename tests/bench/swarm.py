"""Tasks of a swarm: how soon they all run on workers of either kind, and what such a worker takes.

One manager (Moby) and two workers of each kind, each with a network namespace of its own, all on
this machine. A service's tasks are kept to the workers of one kind, which have nothing else to do.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.engines import IMAGE, Engine, import_busybox, start_davit, start_moby
from tests.bench.memory import SETTLE_SECONDS, used_by
from tests.bench.report import Row
from tests.engine.swarmbed import Manager, Place, managers

_KIND = "kind"
_WORKERS = 2
_TASKS_IN_MEMORY = 100
_MOST_SECONDS = 900
_LOOK_SECONDS = 0.2
_NETNS = Path("/run/netns")


def measure(root: Path, tasks: int, rounds: int) -> list[Row]:
    """Compare the time until all tasks of a service run (s), and the memory of a worker (MB)."""
    # Other runs on this machine have the same names there.
    _NETNS.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "bench", str(_NETNS)], check=True)
    with managers(1) as (manager,), ExitStack() as stack:
        workers = _workers(manager, root, stack)
        image = _spread_image([engine for kind in workers.values() for engine in kind])
        kinds = list(workers)
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                with _service(manager, image, kind, workers[kind], tasks) as seconds:
                    times[kind].append(seconds)
            kinds.reverse()
        used: dict[str, float] = {}
        for kind in kinds:
            count = _TASKS_IN_MEMORY * _WORKERS
            with _service(manager, image, kind, workers[kind], count):
                time.sleep(SETTLE_SECONDS)
                used[kind] = statistics.mean(map(used_by, workers[kind]))
    spent = {kind: statistics.median(times[kind]) for kind in kinds}
    return [
        Row(f"{tasks} tasks of a service, two workers", "s", spent["moby"], spent["davit"], 0.60),
        Row(
            f"memory of a worker with {_TASKS_IN_MEMORY} tasks",
            "MB",
            used["moby"],
            used["davit"],
            0.30,
        ),
    ]


def _workers(manager: Manager, root: Path, stack: ExitStack) -> dict[str, list[Engine]]:
    """Start all workers and let them join: kind → its workers. They leave with the stack."""
    workers: dict[str, list[Engine]] = {"moby": [], "davit": []}
    for number in range(_WORKERS):
        for kind, start in (("moby", start_moby), ("davit", start_davit)):
            place = Place(manager.bed, 1 + 2 * number + (kind == "davit"))
            stack.callback(place.unplug)
            place.plug()
            flags = ("--label", f"{_KIND}={kind}")
            engine = stack.enter_context(
                start(root / f"{kind}-worker-{number}", *flags, within=place.enter)
            )
            stack.callback(_leave, engine)
            wish = {
                "ListenAddr": "0.0.0.0:2377",
                "AdvertiseAddr": place.address,
                "RemoteAddrs": [f"{manager.address}:2377"],
                "JoinToken": manager.token(),
            }
            engine.client.request("POST", "/swarm/join", wish)
            workers[kind].append(engine)
    return workers


def _leave(engine: Engine) -> None:
    engine.client.close()
    engine.client.request("POST", "/swarm/leave?force=1")


def _spread_image(engines: Sequence[Engine]) -> str:
    """Give all engines the same image; return its ID, by which nobody tries to pull it."""
    first, *others = engines
    import_busybox(first)
    archive = first.client.request("GET", f"/images/{IMAGE}/get")
    for engine in others:
        engine.client.request("POST", "/images/load", archive)
    return str(json.loads(first.client.request("GET", f"/images/{IMAGE}/json"))["Id"])


@contextlib.contextmanager
def _service(
    manager: Manager, image: str, kind: str, workers: Sequence[Engine], tasks: int
) -> Iterator[float]:
    """Give the seconds until all tasks run; at the end all containers are gone."""
    wish = {
        "Name": kind,
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Command": ["/bin/sleep", "86400"]},
            "Placement": {"Constraints": [f"engine.labels.{_KIND}=={kind}"]},
        },
        "Mode": {"Replicated": {"Replicas": tasks}},
    }
    begin = time.monotonic()
    answer = manager.client.post("/services/create", wish)
    if answer.status != 201:
        raise RuntimeError(f"no service: {answer.body.decode()}")
    try:
        while _running(manager, kind) < tasks:
            if time.monotonic() - begin > _MOST_SECONDS:
                shown = manager.docker("service", "ps", kind)
                raise RuntimeError(f"{kind}: not all tasks run:\n{shown}")
            time.sleep(_LOOK_SECONDS)
        yield time.monotonic() - begin
    finally:
        manager.docker("service", "rm", kind)
        while any(_containers(engine) for engine in workers):
            time.sleep(_LOOK_SECONDS)


def _running(manager: Manager, name: str) -> int:
    filters = json.dumps({"name": [name]})
    (service,) = manager.client.get("/services", filters=filters, status="true").json
    return int(service["ServiceStatus"]["RunningTasks"])


def _containers(engine: Engine) -> list[Any]:
    # The engine may have closed a connection that was idle for long.
    engine.client.close()
    found: list[Any] = json.loads(engine.client.request("GET", "/containers/json?all=1"))
    return found
