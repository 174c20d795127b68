"""A controller without containers, and a real swarm to join."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import pytest

from davit._pb import swarmkit_pb2 as pb
from davit.services.swarm.needs import Controller, Dependencies, Ended
from davit.services.swarm.service import SwarmService
from davit.store.db import Database
from davit.store.swarm import TaskStore
from davit.sys import machine
from tests.engine.services.containers.world import World
from tests.engine.services.swarm.taskbed import Bed


class FakeController(Controller):
    """Remembers what it was told; a task runs until ``ends`` holds its exit code."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.kept: list[set[str]] = []
        self.ends: dict[str, asyncio.Future[int]] = {}
        self.lines = [b"first\n", b"second\n"]

    async def prepare(self, task: pb.Task) -> None:
        self.calls.append(("prepare", task.id))

    async def start(self, task: pb.Task) -> None:
        self.calls.append(("start", task.id))
        self.ends.setdefault(task.id, asyncio.get_running_loop().create_future())

    async def wait(self, task: pb.Task) -> Ended:
        future = self.ends.setdefault(task.id, asyncio.get_running_loop().create_future())
        code = await asyncio.shield(future)
        return Ended(code, f"task: non-zero exit ({code})" if code else "")

    async def shutdown(self, task: pb.Task) -> None:
        self.calls.append(("shutdown", task.id))

    async def remove(self, task: pb.Task) -> None:
        self.calls.append(("remove", task.id))

    async def sweep(self, keep: Collection[str]) -> None:
        self.kept.append(set(keep))

    def describe(self, task: pb.Task, status: pb.TaskStatus) -> None:
        status.container.container_id = f"container-of-{task.id}"

    async def logs(
        self, task: pb.Task, options: pb.LogSubscriptionOptions
    ) -> AsyncIterator[pb.LogMessage]:
        for data in self.lines:
            line = pb.LogMessage(stream=pb.LOG_STREAM_STDOUT, data=data)
            line.context.task_id, line.context.service_id = task.id, task.service_id
            line.context.node_id = task.node_id
            line.timestamp.GetCurrentTime()
            yield line


class Node:
    """A worker's membership without davitd around it."""

    def __init__(self, root: Path) -> None:
        self.controller = FakeController()
        self._root = root
        self._database: Database
        self.service: SwarmService

    async def open(self) -> None:
        self._database = Database(self._root / "state.db")
        await self._database.open()
        self.service = SwarmService(
            self._root / "swarm",
            TaskStore(self._database),
            lambda: (machine.read(self._root), ["color=blue"]),
            self._controller,
        )
        await self.service.open()

    async def close(self) -> None:
        await self.service.close()
        await self._database.close()

    def _controller(self, dependencies: Dependencies) -> Controller:
        self.dependencies = dependencies
        return self.controller


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.open()
    yield node
    await node.close()


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """A controller on real containers; nothing of its tasks may stay behind."""
    root = Path(tempfile.mkdtemp(prefix="dvt"))
    world = World(root)
    await world.open()
    made = Bed(world)
    try:
        await world.load()
        yield made
    finally:
        await made.tasks.sweep([])
        await world.close()
        left = world.traces()
        shutil.rmtree(root, ignore_errors=True)
    assert left == []


async def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition that may block for a moment."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)
