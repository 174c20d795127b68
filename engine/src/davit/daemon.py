"""The composition root: what davitd is made of, in the order in which it starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from davit import __version__
from davit.api.routes import events as event_routes
from davit.api.routes import missing
from davit.api.routes import system as system_routes
from davit.api.routes import volumes as volume_routes
from davit.api.server import Server
from davit.config import Settings
from davit.drivers.volume import LocalVolumes
from davit.services.events import EventService
from davit.services.system import SystemService, instance_id
from davit.services.volumes import VolumeService
from davit.store.containers import ContainerStore
from davit.store.db import Database
from davit.store.paths import Paths
from davit.store.volumes import VolumeStore
from davit.sys.lock import RootLock
from davit.sys.notify import notify

logger = logging.getLogger(__name__)


def run(settings: Settings, *, notify_socket: str = "") -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Containers go on without davitd."""
    lock = RootLock(settings.data_root)
    try:
        with _pidfile(settings.pidfile):
            asyncio.run(_serve(settings, notify_socket))
    finally:
        lock.release()
    return 0


async def _serve(settings: Settings, notify_socket: str) -> None:
    stopping = _stop_on_signals()
    paths = Paths(data=settings.data_root, run=settings.run_root)
    async with contextlib.AsyncExitStack() as stack:
        database = Database(paths.database)
        await database.open()
        stack.push_async_callback(database.close)

        container_store = ContainerStore(database)
        volume_store = VolumeStore(database)
        for store in (container_store, volume_store):
            await store.load()

        events = EventService()
        volumes = VolumeService(
            volume_store, LocalVolumes(paths.volumes), container_store, events.publish
        )
        system = SystemService(
            settings,
            await instance_id(database),
            containers=container_store.all,
            images=lambda: (),
            listeners=events.count,
        )

        await volumes.recover()

        server = Server(
            [
                *system_routes.routes(system),
                *event_routes.routes(events),
                *volume_routes.routes(volumes),
                *missing.routes(),
            ],
            group=settings.group,
        )
        stack.push_async_callback(server.close, settings.shutdown_timeout)
        await server.listen(settings.hosts)

        notify(notify_socket, "READY=1")
        logger.info("davitd %s is ready; data root %s", __version__, settings.data_root)
        await stopping.wait()
        notify(notify_socket, "STOPPING=1")
        logger.info("davitd stops; containers go on")


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(
        signal.SIGHUP, logger.warning, "settings are read at start only: restart davitd instead"
    )
    return stopping


@contextlib.contextmanager
def _pidfile(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def erase(settings: Settings, *, data: bool) -> int:
    return 0
