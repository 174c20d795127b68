"""What builds need of images, containers and their streams; ``daemon.py`` passes these in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from davit.model.build import BuildLine, CacheRecord
from davit.model.container import Container, Created, CreateRequest, Ended
from davit.model.idmap import Remap
from davit.model.image import CommitSource, Image, Progress, StepWish
from davit.model.registry import AuthConfig
from davit.services.containers.needs import Console, Rootfs
from davit.store.paths import Paths

Report = Callable[["BuildLine | Progress"], None]
Auths = Mapping[str, AuthConfig]
"""Credentials by registry, as the client names it."""


class Images(Protocol):
    def resolve(self, reference: str) -> Image: ...

    def all(self) -> list[Image]: ...

    def directories(self, layers: Sequence[str]) -> list[Path]: ...

    def keep(self) -> AbstractContextManager[Callable[[Image], None]]:
        """Give what takes images that nobody may remove meanwhile, nor their layers."""
        ...

    async def add_step(self, wish: StepWish) -> Image: ...

    async def tag(self, reference: str, tag: str) -> None: ...

    def steps(self) -> list[CacheRecord]: ...

    async def remove_steps(self, wanted: Collection[str]) -> int: ...


class Containers(Protocol):
    def all(self) -> list[Container]: ...

    async def create(self, name: str, request: CreateRequest) -> Created: ...

    async def start(self, reference: str) -> None: ...

    def wait(self, reference: str, condition: str = "") -> asyncio.Future[Ended]: ...

    async def remove(
        self, reference: str, *, force: bool = False, volumes: bool = False
    ) -> None: ...

    async def written(self, reference: str) -> CommitSource:
        """Tell what a container has written to its own layer."""
        ...


class Streams(Protocol):
    async def attach(self, reference: str, *, stdin: bool = False) -> Console: ...


class Registries(Protocol):
    async def pull(
        self, name: str, *, platform: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> Image:
        """Pull an image that is not here, or that is to be the newest. Raises NotFound."""
        ...


@dataclass(frozen=True, eq=False)
class Needs:
    paths: Paths
    images: Images
    containers: Containers
    streams: Streams
    rootfs: Rootfs
    registries: Registries
    remap: Remap | None
