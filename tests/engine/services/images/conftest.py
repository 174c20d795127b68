"""An image service on a store of its own, with containers and events that the test sees."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from davit.drivers.registry.client import RegistryClient
from davit.model.config import ContainerConfig, HostConfig
from davit.model.container import Container, State, Status
from davit.model.image import Image, Progress
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images.pull import Puller
from davit.services.images.service import ImageService
from davit.store.blobs import BlobStore
from davit.store.db import Database
from davit.store.images import ImageStore
from davit.store.layers import LayerStore
from davit.store.paths import Paths
from tests.engine.imagekit import Built, chunks, compress, digest, docker_archive


class Kit:
    """The service and what surrounds it. ``restart`` makes a new one on the same files."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(data=root / "data", run=root / "run")
        self.containers: list[Container] = []
        self.events: list[tuple[str, str, Mapping[str, str]]] = []
        self.lines: list[Progress] = []
        self.grace = 3600.0
        self.max_layer_size = 1 << 30

    async def start(self) -> None:
        self.database = Database(self.paths.database)
        await self.database.open()
        self.rows = ImageStore(self.database)
        await self.rows.load()
        self.layers = LayerStore(self.paths.layers, self.paths.ingest)
        self.blobs = BlobStore(self.paths.blobs, self.paths.ingest)
        self.images = ImageService(
            self.rows,
            self.blobs,
            self.layers,
            self,
            self._publish,
            grace=self.grace,
            max_layer_size=self.max_layer_size,
        )
        await self.images.open()

    async def stop(self) -> None:
        await self.database.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def all(self) -> list[Container]:
        return self.containers

    async def load(self, *images: Built) -> list[Image]:
        return await self.images.load(chunks(docker_archive(*images)), self.lines.append)

    def use(self, image: Image, status: Status) -> Container:
        """Make a container of the image."""
        container = Container(
            id=f"{len(self.containers):x}" * 64,
            name=f"c{len(self.containers)}",
            created=1,
            image_id=image.id,
            config=ContainerConfig(),
            host_config=HostConfig(),
            path="sh",
            args=[],
            layers=image.layers,
            state=State(status=status),
        )
        self.containers.append(container)
        return container

    def actions(self) -> list[tuple[str, str]]:
        """Events so far: action and name."""
        return [(action, attributes.get("name", "")) for action, _, attributes in self.events]

    async def contents(self) -> dict[str, list[str]]:
        """Everything that the store holds on disk and in its rows."""
        rows = await self.database.load("images")
        directories = {
            "blobs": self.paths.blobs / "sha256",
            "layers": self.paths.layers,
            "ingest": self.paths.ingest,
        }
        return {
            **{
                name: sorted(await asyncio.to_thread(os.listdir, path))
                for name, path in directories.items()
            },
            "rows": [json.dumps([key, json.loads(body)["tags"]]) for key, body in rows],
        }

    def _publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str], /
    ) -> None:
        assert kind == "image"
        self.events.append((action, actor_id, attributes))


LOOPBACK = ("127.0.0.0/8",)
EMPTY: dict[str, list[str]] = {"blobs": [], "layers": [], "ingest": [], "rows": []}


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    kit = Kit(tmp_path)
    # Tests may look into files as they like; the service may not block the loop.
    with blockbuster_ctx(scanned_modules=["davit"]):
        await kit.start()
        yield kit
        await kit.stop()


class Pulls:
    """A puller on a store, and the lines that it reported."""

    def __init__(self, kit: Kit, client: RegistryClient | None = None) -> None:
        self.kit = kit
        self.puller = Puller(kit.images.content, client or RegistryClient(LOOPBACK))
        self.lines: list[Progress] = []

    async def pull(
        self, name: str, platform: str = "", credentials: Credentials | None = None
    ) -> Image:
        return await self.puller.pull(
            Reference.parse(name), platform, credentials or Credentials(), self.lines.append
        )

    async def pull_all(self, name: str) -> list[Image]:
        return await self.puller.pull_all(
            Reference.parse(name), "", Credentials(), self.lines.append
        )

    def statuses(self, layer: bytes | None = None) -> list[str]:
        """In their order, those of a layer or those without one; each once."""
        name = digest(compress(layer))[7:19] if layer is not None else ""
        return list(dict.fromkeys(line.status for line in self.lines if line.id == name))


@pytest.fixture
def pulls(kit: Kit) -> Pulls:
    return Pulls(kit)
