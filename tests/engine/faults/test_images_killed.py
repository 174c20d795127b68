"""davitd dies while it takes images in: nothing is left of them, or what the next pull can use."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import os
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.engine.conftest import Davitd, new_davitd
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.faults.test_kill_at_each_step import mortal
from tests.engine.imagekit import Built, busybox, compress, digest, docker_archive, files
from tests.engine.registrykit import Shelf, registry

LAYERS = [files({"slow": os.urandom(50_000)}), files({"quick": os.urandom(50_000)})]
IMAGE = busybox(extra=LAYERS)
SLOW, QUICK = (digest(compress(layer)) for layer in LAYERS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        Shelf(found, "box").image("1", IMAGE)
        yield found


@pytest.fixture
async def proxy(address: str) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(address).running() as running:
        yield running


def stored(daemon: Davitd) -> dict[str, list[str]]:
    """Names of all that the image store has on disk."""
    places = ("blobs/sha256", "layers", "ingest")
    return {place: sorted(os.listdir(daemon.data / place)) for place in places}


NOTHING: dict[str, list[str]] = {"blobs/sha256": [], "layers": [], "ingest": []}


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def kill_in_pull(daemon: Davitd, proxy: FaultyProxy) -> None:
    """Kill it when two of three layers are in the store."""
    gate = asyncio.Event()
    proxy.faults = [Fault(f"/blobs/{SLOW}", gate=gate)]
    pulling = asyncio.create_task(asyncio.to_thread(pull, daemon, proxy))
    await until(lambda: len(stored(daemon)["layers"]) == 4)  # a tree and a record each
    daemon.kill()
    gate.set()
    await pulling
    assert stored(daemon)["ingest"]


def pull(daemon: Davitd, proxy: FaultyProxy) -> bytes:
    with contextlib.suppress(OSError, http.client.HTTPException):
        answer = daemon.client.post("/images/create", fromImage=f"{proxy.address}/box", tag="1")
        assert answer.status == 200
        return answer.body
    return b""


async def test_the_next_pull_takes_what_a_killed_one_has_finished(proxy: FaultyProxy) -> None:
    with new_davitd() as daemon:
        await kill_in_pull(daemon, proxy)
        await asyncio.to_thread(daemon.start)
        client = daemon.client
        assert client.get("/images/json").json == []
        assert stored(daemon)["ingest"] == []
        assert len(stored(daemon)["layers"]) == 4
        assert b"Downloaded newer image" in await asyncio.to_thread(pull, daemon, proxy)
        assert (proxy.count(SLOW), proxy.count(QUICK)) == (2, 1)
        daemon.docker("run", "--rm", f"{proxy.address}/box:1", "cat", "/quick")
        assert client.delete(f"/images/{IMAGE.id}", force=True).status == 200
        assert stored(daemon) == NOTHING


async def test_what_nobody_comes_back_for_goes_after_the_grace_period(proxy: FaultyProxy) -> None:
    with new_davitd("--gc-grace", "3") as daemon:
        await kill_in_pull(daemon, proxy)
        await asyncio.to_thread(daemon.start)
        await until(lambda: stored(daemon) == NOTHING)


class Story:
    """An image is loaded, a container of it committed, and another one built.

    IDs of what was acknowledged are in ``images``.
    """

    def __init__(self, daemon: Davitd) -> None:
        self._client = daemon.client
        self.images: list[str] = []

    def tell(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._load()
            self._commit()
            self._build()

    def _load(self) -> None:
        answer = self._client.post("/images/load", ARCHIVE)
        assert answer.status == 200, answer.body
        if b"Loaded image" in answer.body:
            self.images.append(SMALL.id)

    def _commit(self) -> None:
        created = self._client.post("/containers/create", {"Image": SMALL.id, "Cmd": ["x"]})
        container = created.json["Id"]
        path = f"/containers/{container}/archive"
        written = self._client.request("PUT", path, files({"new": "1"}), query={"path": "/"})
        assert written.status == 200, written.body
        committed = self._client.post("/commit", {}, container=container, repo="committed")
        assert committed.status == 201, committed.body
        self.images.append(committed.json["Id"])

    def _build(self) -> None:
        context = files({"Dockerfile": f"FROM {SMALL.id}\nCOPY f /f\nLABEL a=b\n", "f": "2"})
        lines = self._client.post("/build", context, t="built").body.splitlines()
        told = [json.loads(line).get("aux", {}).get("ID", "") for line in lines]
        self.images += filter(None, told)


# Every life takes a second or two; all of them were tried when this was written.
_STRIDE = 17
SMALL = Built(layers=[files({"old": "0"})], tags=["small:1"])
ARCHIVE = docker_archive(SMALL)


def check(daemon: Davitd, story: Story) -> None:
    """What was acknowledged is there and whole, and with it goes all that the store has."""
    client = daemon.client
    for entry in client.get("/containers/json", all=True).json:
        assert client.delete(f"/containers/{entry['Id']}", force=True).status == 204
    present = [entry["Id"] for entry in client.get("/images/json", all=True).json]
    assert set(story.images) <= set(present)
    for image in present:
        saved = client.get(f"/images/{image}/get")
        with tarfile.open(fileobj=io.BytesIO(saved.body)) as tar:
            assert f"blobs/sha256/{image[7:]}" in tar.getnames()
    client.post("/images/prune", filters={"dangling": ["false"]})
    client.post("/build/prune", all=True)
    assert stored(daemon) == NOTHING
    assert sorted(os.listdir(daemon.data / "containers")) == []


def test_killed_in_the_middle_of_load_commit_and_build() -> None:
    with mortal() as daemon:
        daemon.countdown.left = 10**9
        story = Story(daemon)
        story.tell()
        total = 10**9 - daemon.countdown.left
        daemon.countdown.left = 0
        assert len(story.images) == 3
        check(daemon, story)
        for number in range(1, total + 1, _STRIDE):
            daemon.countdown.left = number
            story = Story(daemon)
            story.tell()
            daemon.revive()
            check(daemon, story)
