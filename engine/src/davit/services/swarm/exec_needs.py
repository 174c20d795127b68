"""What running a task needs of the services below.

Without the modules of the protocol, which are large: a node that is in no swarm does without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from davit.model.container import Container, Created, CreateRequest, Ended, Health
from davit.model.idmap import IdMap
from davit.model.image import Image, Progress
from davit.model.logs import LogBlock, LogSelection
from davit.model.network import Sandbox
from davit.model.registry import AuthConfig
from davit.store.paths import Paths


@dataclass(frozen=True)
class NodeFacts:
    """What templates may say of this node. architecture: as in the node's description."""

    hostname: str
    architecture: str
    os: str = "linux"


class Containers(Protocol):
    def all(self) -> list[Container]: ...

    def get(self, reference: str) -> Container:
        """Raises NotFound."""
        ...

    async def create(self, name: str, request: CreateRequest) -> Created: ...

    async def start(self, reference: str) -> None: ...

    async def stop(self, reference: str, *, timeout: int | None = None) -> None: ...

    async def remove(
        self, reference: str, *, force: bool = False, volumes: bool = False
    ) -> None: ...

    def wait(self, reference: str, condition: str = "") -> asyncio.Future[Ended]: ...

    def watch_health(self, reference: str, status: str) -> asyncio.Future[Health]:
        """Return what will hold the health once it has such a status. To be cancelled after use."""
        ...


class Images(Protocol):
    def resolve(self, reference: str) -> Image:
        """Raises NotFound."""
        ...


class Registries(Protocol):
    async def pull(
        self, name: str, *, platform: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> Image: ...


class Logs(Protocol):
    def logs(self, reference: str, selection: LogSelection) -> AsyncIterator[LogBlock]: ...


class Networks(Protocol):
    def sandbox(self, container_id: str) -> Sandbox | None: ...


@dataclass(frozen=True, eq=False)
class ExecNeeds:
    """ids: of the user namespace that containers are in, None for the host's."""

    paths: Paths
    node: NodeFacts
    containers: Containers
    images: Images
    registries: Registries
    logs: Logs
    networks: Networks
    ids: IdMap | None = None
