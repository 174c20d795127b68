"""What builds need of images, containers and their streams; ``daemon.py`` passes these in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from davit.errors import NotFound
from davit.model.build import BuildLine
from davit.model.container import Container, Created, CreateRequest, Ended
from davit.model.filters import Filters
from davit.model.image import CommitSource, Image, StepWish
from davit.model.reference import Reference
from davit.services.containers.needs import Console, Rootfs
from davit.store.paths import Paths

Report = Callable[[BuildLine], None]


class Images(Protocol):
    def resolve(self, reference: str) -> Image: ...

    def all(self) -> list[Image]: ...

    def directories(self, layers: Sequence[str]) -> list[Path]: ...

    def keep(self) -> AbstractContextManager[Callable[[Image], None]]:
        """Give what takes images that nobody may remove meanwhile, nor their layers."""
        ...

    async def add_step(self, wish: StepWish) -> Image: ...

    async def tag(self, reference: str, tag: str) -> None: ...

    async def prune_steps(self, filters: Filters, *, every: bool) -> tuple[list[str], int]: ...


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


class FetchImage(Protocol):
    """Brings an image that is not here, or that is to be the newest."""

    async def __call__(
        self,
        reference: str,
        *,
        platform: str,
        auths: Mapping[str, Mapping[str, str]],
        report: Report,
    ) -> Image:
        """auths: credentials by registry, as X-Registry-Config has them. Raises NotFound."""
        ...


async def no_fetch(
    reference: str, *, platform: str, auths: Mapping[str, Mapping[str, str]], report: Report
) -> Image:
    """Stands in for a registry client."""
    name = Reference.parse(reference).repository
    raise NotFound(
        f"pull access denied for {name}, repository does not exist or may require 'docker login': "
        f"davit builds from images that it has: load {reference} first"
    )


@dataclass(frozen=True, eq=False)
class Needs:
    paths: Paths
    images: Images
    containers: Containers
    streams: Streams
    rootfs: Rootfs
    fetch: FetchImage
