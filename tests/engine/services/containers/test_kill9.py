"""A real davitd is killed in the middle of things, again and again."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from pathlib import Path

from tests.engine.conftest import Davitd

# Seconds into the work at which it dies; a life of a container takes some tenths.
MOMENTS = (0.05, 0.11, 0.17, 0.23, 0.31, 0.43)


class Worker:
    """Creates, starts and removes containers, and writes down what was acknowledged."""

    def __init__(self, davitd: Davitd, numbers: itertools.count[int]) -> None:
        self.created: set[str] = set()
        self.started: set[str] = set()
        self.doomed: set[str] = set()  # may be there or not: the removal has been asked for
        self.removed: set[str] = set()
        self._davitd = davitd
        self._numbers = numbers
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        # An answer that never came acknowledges nothing.
        with contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                self._live()

    def _live(self) -> None:
        client = self._davitd.client
        number = next(self._numbers)
        body = {
            "Image": "busybox",
            "Cmd": ["sleep", "1000"],
            "HostConfig": {"Binds": [f"data{number}:/data"]},
        }
        answer = client.post("/containers/create", body, name=f"box{number}")
        if answer.status != 201:
            raise EOFError
        container_id: str = answer.json["Id"]
        self.created.add(container_id)
        if client.post(f"/containers/{container_id}/start").status != 204:
            raise EOFError
        self.started.add(container_id)
        if number % 2 == 0:
            return
        self.doomed.add(container_id)
        if client.delete(f"/containers/{container_id}", force=True).status == 204:
            self.removed.add(container_id)


def test_nothing_acknowledged_is_lost_and_nothing_leaks(davitd: Davitd) -> None:
    davitd.load_busybox()
    numbers = itertools.count()
    for moment in MOMENTS:
        worker = Worker(davitd, numbers)
        time.sleep(moment)
        davitd.kill()
        worker.join()
        davitd.start()
        listed = davitd.client.get("/containers/json", all=True).json
        states = {entry["Id"]: entry["State"] for entry in listed}
        assert worker.created - worker.doomed <= states.keys()
        assert not worker.removed & states.keys()
        for container_id in worker.started - worker.doomed:
            assert states[container_id] == "running"
        for entry in listed:
            assert davitd.client.delete(f"/containers/{entry['Id']}", force=True).status == 204
        _wait_until_gone(davitd)


def _wait_until_gone(davitd: Davitd) -> None:
    """Files of removed containers are deleted behind the answer."""
    places = [
        davitd.data / "containers",
        *(davitd.run / name for name in ("containers", "netns", "runtime", "exits", "s")),
    ]
    end = time.monotonic() + 20
    while left := [entry for place in places for entry in _entries(place)]:
        assert time.monotonic() < end, left
        time.sleep(0.02)


def _entries(place: Path) -> list[Path]:
    return list(place.iterdir()) if place.is_dir() else []
