"""What every verb works with: the borders, the rows, and what is known of each run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from davit.config import Settings
from davit.model.container import Container, Health
from davit.model.host import HostFacts
from davit.model.idmap import Remap
from davit.model.runtime import Launched
from davit.services.containers.needs import (
    Events,
    Images,
    Monitors,
    Networking,
    Rootfs,
    Volumes,
)
from davit.services.containers.wait import Waiters
from davit.store.containers import ContainerStore
from davit.store.paths import Paths

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Run:
    """One life of a container's process, from its start until nothing of it is left.

    delay: ns that the restart policy waited before it. exited: the row says so; left: it is off
    its networks; cleaned: mount, cgroup and bundle are gone, too; followed: what the policy wanted
    then is done. given_up: the restart that the policy wants is not to be.
    """

    launched: Launched
    delay: int = 0
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    cleaned: asyncio.Event = field(default_factory=asyncio.Event)
    followed: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)


class Locks:
    """One lock a container; it is there for as long as somebody holds or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __call__(self, container_id: str) -> asyncio.Lock:
        return self._locks.setdefault(container_id, asyncio.Lock())


class Background:
    """Tasks that outlive the request which started them; their failures are logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self) -> None:
        """Wait until nothing is under way any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel what is under way and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("%s failed", task.get_name(), exc_info=task.exception())


BeforeStart = Callable[[str], Awaitable[None]]


@dataclass(eq=False)
class Context:
    """Passed to every verb. Containers that run, or whose clean-up goes on, have a :class:`Run`.

    init: path of an init on the host, empty for none. remap: the user namespace for containers.
    health_waiters: by container, each with the status that it waits for.
    exec_ids: the execs of a container that have not ended.
    before_launch: called with a container's ID before anything of its run is made; may refuse.
    before_start: called with a container's ID when its process exists and has not begun, so that
    waiting clients can attach without losing a byte.
    followers: called with each run that begins, or is found running.
    after_exit: called with a container's ID while a run is cleaned up.
    """

    settings: Settings
    paths: Paths
    store: ContainerStore
    events: Events
    images: Images
    volumes: Volumes
    networks: Networking
    monitors: Monitors
    rootfs: Rootfs
    host: HostFacts
    init: str = ""
    remap: Remap | None = None
    locks: Locks = field(default_factory=Locks)
    waiters: Waiters = field(default_factory=Waiters)
    background: Background = field(default_factory=Background)
    runs: dict[str, Run] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    health_waiters: dict[str, list[tuple[str, asyncio.Future[Health]]]] = field(
        default_factory=dict
    )
    exec_ids: Callable[[str], list[str]] = lambda _: []
    before_launch: list[BeforeStart] = field(default_factory=list)
    before_start: list[BeforeStart] = field(default_factory=list)
    followers: list[Callable[[Container, Run], None]] = field(default_factory=list)
    after_exit: list[BeforeStart] = field(default_factory=list)

    def announce(self, container: Container, action: str, **attributes: str) -> None:
        """Publish an event of a container with the attributes that all of them have."""
        self.events.publish(
            "container",
            action,
            container.id,
            {
                **container.config.labels,
                "image": container.config.image,
                "name": container.name,
                **attributes,
            },
        )
