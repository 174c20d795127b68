"""davitd dies at each step of its work: what it acknowledged is there, and nothing else is.

The story below is told once for each of its steps; in the n-th telling the daemon is killed before
the n-th change that it makes to the world (see ``mortal``), and started again.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd
from tests.engine.faults.mortal import Countdown

_REPOSITORY = Path(__file__).parents[3]
_FAR = 10**9
_WORKERS = 2
_PATIENCE = 30.0


class Mortal(Davitd):
    """A daemon that can be told after how many steps it is to die."""

    def __init__(self, root: Path) -> None:
        # What an image is made of goes with the start after the crash, not an hour later.
        super().__init__(root, "--gc-grace", "0")
        self.countdown = Countdown(root / "countdown")
        self.environment = {
            "DAVIT_COUNTDOWN": str(root / "countdown"),
            "PYTHONPATH": str(_REPOSITORY),
        }

    def _argv(self, command: str = "serve") -> list[str]:
        argv = super()._argv(command)
        if command == "serve":
            argv[argv.index("davit")] = "tests.engine.faults.mortal"
        return argv

    def revive(self) -> None:
        """Start it again if it has died."""
        assert self.process is not None
        if self.countdown.left == 0:
            self.process.wait(_PATIENCE)
            self.start()
        self.countdown.left = 0


class Cut(Exception):
    """The daemon died before it answered."""


class Story:
    """One life of a container and what it stands on. Tells what the daemon has acknowledged."""

    def __init__(self, davitd: Davitd) -> None:
        self._davitd = davitd
        self.there: set[str] = set()  # paths of objects that exist by the daemon's word
        self.gone: set[str] = set()
        self.running: bool | None = None  # None: asked to change, and not answered

    def tell(self) -> None:
        with contextlib.suppress(Cut):
            self._image()
            self._make("/networks/create", "/networks/net", {"Name": "net"})
            self._make("/volumes/create", "/volumes/data", {"Name": "data"})
            host = {
                "Binds": ["data:/data", "more:/more"],
                "PortBindings": {"80/tcp": [{}]},
            }
            body = {"Image": "story", "Cmd": ["sleep", "1000"], "HostConfig": host}
            self._make("/containers/create?name=box", "/containers/box/json", body)
            self._move("/containers/box/start", running=True)
            self._ask("POST", "/networks/net/connect", {"Container": "box"})
            self._rename("/containers/box", "hero")
            self._ask("POST", "/networks/net/disconnect", {"Container": "hero"})
            self._move("/containers/hero/restart?t=0", running=True)
            self._move("/containers/hero/stop?t=0", running=False)
            self._remove("/containers/hero", "/containers/hero/json")
            self._make(
                "/containers/create?name=spare", "/containers/spare/json", {"Image": "story"}
            )
            self._remove("/containers/prune", "/containers/spare/json", "POST")
            self._remove("/networks/prune", "/networks/net", "POST")
            self._remove("/volumes/data", "/volumes/data")
            self._remove("/images/story", "/images/story/json")

    def check(self) -> None:
        client = self._davitd.client
        for path in self.there:
            assert client.get(path).status == 200, f"{path} is lost"
        for path in self.gone:
            assert client.get(path).status == 404, f"{path} is back"
        for entry in client.get("/containers/json", all=True).json:
            if self.running is not None:
                assert (entry["State"] == "running") == self.running, entry

    def _image(self) -> None:
        path = "/images/create?fromSrc=-&repo=story&changes=CMD%20sh"
        self._ask("POST", path, _TAR)
        self.there.add("/images/story/json")

    def _make(self, path: str, made: str, body: object) -> None:
        self._ask("POST", path, body)
        self.there.add(made)

    def _rename(self, path: str, name: str) -> None:
        self.there.remove(f"{path}/json")  # until it is answered, either name may be its
        self._ask("POST", f"{path}/rename?name={name}")
        self.there.add(f"/containers/{name}/json")

    def _move(self, path: str, *, running: bool) -> None:
        self.running = None
        self._ask("POST", path)
        self.running = running

    def _remove(self, path: str, removed: str, method: str = "DELETE") -> None:
        self.there.discard(removed)
        self.running = None
        self._ask(method, path)
        self.gone.add(removed)

    def _ask(self, method: str, path: str, body: object = None) -> None:
        try:
            answer = self._davitd.client.request(method, path, body)
        except (OSError, http.client.HTTPException):
            raise Cut from None
        assert answer.status < 300, (path, answer.body)


def _small_image() -> bytes:
    """An image in few steps: a program and one name for it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        link = tarfile.TarInfo("bin/sleep")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
    return packed.getvalue()


_TAR = _small_image()


@contextlib.contextmanager
def mortal() -> Iterator[Mortal]:
    root = Path(tempfile.mkdtemp(prefix="dv"))
    daemon = Mortal(root)
    try:
        daemon.start()
        yield daemon
    finally:
        try:
            daemon.countdown.left = 0
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.stop()
            daemon.erase()
            left = daemon.left_behind()
        finally:
            shutil.rmtree(root, ignore_errors=True)
    assert not left, "\n".join(left)


def steps_of_the_story(daemon: Mortal) -> int:
    daemon.countdown.left = _FAR
    story = Story(daemon)
    story.tell()
    story.check()
    taken = _FAR - daemon.countdown.left
    daemon.countdown.left = 0
    return taken


def tidy(daemon: Mortal) -> None:
    """Remove what the story may have left; each removal must work after any death."""
    client = daemon.client
    for entry in client.get("/containers/json", all=True).json:
        answer = client.delete(f"/containers/{entry['Id']}", force=True, v=True)
        assert answer.status == 204, answer.body
    for network in client.get("/networks", filters={"type": ["custom"]}).json:
        assert client.delete(f"/networks/{network['Id']}").status == 204
    for volume in client.get("/volumes").json["Volumes"] or []:
        assert client.delete(f"/volumes/{volume['Name']}").status == 204
    for image in client.get("/images/json").json:
        assert client.delete(f"/images/{image['Id']}", force=True).status == 200


def traces(daemon: Mortal) -> list[str]:
    """Everything that it has on this machine, but for its database and its pool of namespaces."""
    found = [line for line in daemon.left_behind() if f"{daemon.run}/netns/" not in line]
    for root in (daemon.data, daemon.run):
        for place, _, files in os.walk(root):
            if Path(place).name not in ("netns", "pool"):
                found += [f"file {place}/{name}" for name in files if ".db" not in name]
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=True, text=True)
    found += [line for line in rules.stdout.splitlines() if daemon.settings.instance in line]
    return sorted(found)


def wait_until_clean(daemon: Mortal, idle: list[str]) -> None:
    """What is removed goes behind the answer; the pool fills up behind everything."""
    end = time.monotonic() + _PATIENCE
    while (now := traces(daemon)) != idle:
        assert time.monotonic() < end, sorted(set(now) ^ set(idle))
        time.sleep(0.02)


@pytest.mark.timeout(900)  # some two hundred lives
def test_nothing_acknowledged_is_lost_and_nothing_leaks() -> None:
    numbers = itertools.count(1)
    failures: list[str] = []
    told = [0] * _WORKERS

    def work(worker: int) -> None:
        with mortal() as daemon:
            total = steps_of_the_story(daemon)
            idle = traces(daemon)
            while not failures:
                number = next(numbers)
                if number > total:
                    return
                daemon.countdown.left = number
                story = Story(daemon)
                try:
                    story.tell()
                    daemon.revive()
                    story.check()
                    tidy(daemon)
                    wait_until_clean(daemon, idle)
                except AssertionError as error:
                    log = "\n".join(daemon.log.read_text().splitlines()[-40:])
                    failures.append(f"killed before step {number} of {total}: {error}\n{log}")
                told[worker] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        pytest.fail(failures[0])
    assert sum(told) > 50, "the daemon takes fewer steps than it can"
