"""The daemon's view of itself: identity, host, versions, counts."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import uuid
from collections.abc import Callable, Mapping, Sized
from pathlib import Path

from davit.config import Settings
from davit.model import codec, times
from davit.model.container import Container, Status
from davit.model.swarm import SwarmInfo
from davit.model.system import Component, Counts, Overview
from davit.store.db import Database
from davit.sys import machine

_SETTINGS = "settings"
_INSTANCE_ID = "instance_id"


class SystemService:
    """Answers what ``info`` and ``version`` ask. What cannot change is found out once."""

    def __init__(
        self,
        settings: Settings,
        instance_id: str,
        *,
        containers: Callable[[], list[Container]],
        images: Callable[[], Sized],
        listeners: Callable[[], int],
        publish: Callable[[str, str, str, Mapping[str, str]], None],
        swarm: Callable[[], SwarmInfo],
        init: str = "",
    ) -> None:
        self._settings = settings
        self._instance_id = instance_id
        self._containers = containers
        self._images = images
        self._listeners = listeners
        self._publish = publish
        self._swarm = swarm
        self._init = init
        self._started = times.now()
        self._components: tuple[Component, Component] | None = None

    async def overview(self) -> Overview:
        """Return everything; the first call runs ``runc --version`` and ``conmon --version``."""
        if self._components is None:
            runtime, monitor = await asyncio.gather(
                _version(self._settings.runtime_programs[self._settings.default_runtime]),
                _version(self._settings.conmon),
            )
            self._components = (runtime, monitor)
        runtime, monitor = self._components
        return Overview(
            instance_id=self._instance_id,
            settings=self._settings,
            host=await asyncio.to_thread(machine.read, self._settings.data_root),
            counts=self._counts(),
            runtime=runtime,
            monitor=monitor,
            swarm=self._swarm(),
            init=self._init,
            open_files=await asyncio.to_thread(lambda: len(os.listdir("/proc/self/fd"))),
            tasks=len(asyncio.all_tasks()),
            listeners=self._listeners(),
            started=self._started,
        )

    def reload(self, settings: Settings) -> None:
        """Take settings that were read again, and tell by an event what holds now."""
        self._settings = settings
        self._publish(
            "daemon",
            "reload",
            self._instance_id,
            {
                "name": platform.node(),
                "debug": str(settings.log_level == "debug").lower(),
                "insecure-registries": codec.encode(settings.insecure_registries).decode(),
                "labels": codec.encode(settings.labels).decode(),
                "registry-mirrors": codec.encode(settings.registry_mirrors).decode(),
                "shutdown-timeout": str(settings.shutdown_timeout),
            },
        )

    def _counts(self) -> Counts:
        statuses = [container.state.status for container in self._containers()]
        running = sum(status in (Status.RUNNING, Status.RESTARTING) for status in statuses)
        paused = statuses.count(Status.PAUSED)
        return Counts(
            running=running,
            paused=paused,
            stopped=len(statuses) - running - paused,
            images=len(self._images()),
        )


async def instance_id(database: Database) -> str:
    """Return the identity of this data root, made when it has none."""
    rows = dict(await database.load(_SETTINGS))
    if _INSTANCE_ID not in rows:
        rows[_INSTANCE_ID] = str(uuid.uuid4()).encode()
        await database.put(_SETTINGS, _INSTANCE_ID, rows[_INSTANCE_ID])
    return rows[_INSTANCE_ID].decode()


async def _version(program: str) -> Component:
    name = Path(program).name
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return Component(name=name, version="unknown")
    output = (await process.communicate())[0].decode(errors="replace")
    version = re.search(r"version:? (\S+)", output)
    commit = re.search(r"commit: *(\S+)", output)
    return Component(
        name=name,
        version=version[1] if version else "unknown",
        commit=commit[1] if commit else "",
    )
