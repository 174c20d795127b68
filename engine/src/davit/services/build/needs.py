"""What builds need of images, containers and their streams; ``daemon.py`` passes these in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from davit.model.build import CacheRecord, Event
from davit.model.container import Container, Created, CreateRequest, Ended
from davit.model.idmap import Remap
from davit.model.image import CommitSource, Image, Progress, StepWish
from davit.model.registry import AuthConfig
from davit.services.containers.needs import Console, Rootfs
from davit.store.paths import Paths

Report = Callable[[Event], None]
Auths = Mapping[str, AuthConfig]
"""Credentials by registry, as the client names it."""


class Lender(Protocol):
    """Who asked for a build, and what may be asked of him meanwhile."""

    async def secret(self, name: str) -> bytes | None:
        """Return a secret, None when there is none of this name."""
        ...

    async def credentials(self, registry: str) -> AuthConfig:
        """Return those for a registry (``docker.io`` for Docker Hub), without any nobody's."""
        ...

    async def has_agent(self, name: str) -> bool: ...

    def agent(
        self, name: str, path: Path, owner: tuple[int, int], mode: int
    ) -> AbstractAsyncContextManager[None]:
        """Have a socket at ``path`` behind which an SSH agent is that he has."""
        ...


class Session(Lender, Protocol):
    """A client that lends files, too."""

    @property
    def protocol(self) -> asyncio.Protocol:
        """What its connection has to be given to."""
        ...

    async def ready(self) -> None:
        """Return when the client has begun to listen."""
        ...

    async def directory(
        self,
        name: str,
        root: Path,
        *,
        includes: Sequence[str] = (),
        excludes: Sequence[str] = (),
        progress: Callable[[int], None] = ...,
    ) -> None:
        """Copy the client's directory of this name to ``root``, a new one.

        progress: called with the bytes so far. Raises InvalidParameter, Unavailable.
        """
        ...

    def close(self) -> None: ...


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
