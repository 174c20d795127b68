"""The time of one container's life over the API: create, start, wait, remove."""

from __future__ import annotations

import json
import statistics
import time

from tests.bench.engines import IMAGE, Engine
from tests.bench.report import Row

WARM_UP = 3
BUDGET = {"bridge": 0.22, "none": 0.25}


def measure(moby: Engine, davit: Engine, network: str, rounds: int) -> list[Row]:
    """Compare lives in milliseconds. The engines take turns, so that drift hits both alike."""
    times: dict[str, list[float]] = {moby.name: [], davit.name: []}
    for turn in range(WARM_UP + rounds):
        for engine in (moby, davit) if turn % 2 else (davit, moby):
            duration = live_once(engine, network)
            if turn >= WARM_UP:
                times[engine.name].append(duration * 1000)
    return [
        Row(
            f"create, start, wait, remove; network {network}",
            "ms",
            statistics.median(times[moby.name]),
            statistics.median(times[davit.name]),
            BUDGET[network],
        )
    ]


def live_once(engine: Engine, network: str) -> float:
    """Run /bin/true in a new container; return the seconds until it is removed."""
    return sum(requests_of_a_life(engine, network).values())


def requests_of_a_life(engine: Engine, network: str) -> dict[str, float]:
    """Run /bin/true in a new container and remove it; return the seconds of each request."""
    configuration = {
        "Image": IMAGE,
        "Cmd": ["/bin/true"],
        "HostConfig": {"NetworkMode": network},
    }
    seconds: dict[str, float] = {}

    def request(name: str, method: str, path: str, body: object = None) -> bytes:
        start = time.perf_counter()
        answer = engine.client.request(method, path, body)
        seconds[name] = time.perf_counter() - start
        return answer

    created = json.loads(request("create", "POST", "/containers/create", configuration))
    path = f"/containers/{created['Id']}"
    request("start", "POST", f"{path}/start")
    status = json.loads(request("wait", "POST", f"{path}/wait"))
    request("remove", "DELETE", path)
    if status["StatusCode"] != 0:
        raise RuntimeError(f"{engine.name}: /bin/true ended with {status}")
    return seconds
