"""The container services on real parts: layers, runc, conmon and networks, without HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from davit.config import AddressPool, Settings
from davit.drivers.conmon.layout import Layout
from davit.drivers.conmon.monitors import ConmonMonitors
from davit.drivers.conmon.runtime import Runtime
from davit.drivers.overlay import OverlayRootfs
from davit.drivers.volume.local import LocalVolumes
from davit.model import codec
from davit.model.container import Container, CreateRequest, Ended
from davit.services.containers import reconcile
from davit.services.containers.context import Context
from davit.services.containers.prepare import find_init
from davit.services.containers.service import ContainerService
from davit.services.images.service import ImageService
from davit.services.networks.service import NetworkService
from davit.services.volumes import VolumeService
from davit.spec.capabilities import ALL
from davit.store.blobs import BlobStore
from davit.store.containers import ContainerStore
from davit.store.db import Database
from davit.store.images import ImageStore
from davit.store.layers import LayerStore
from davit.store.paths import Paths
from davit.store.volumes import VolumeStore
from davit.sys import host
from tests.engine.imagekit import busybox, chunks, docker_archive

POOL = AddressPool("10.213.0.0/16", 24)


class World:
    """One davitd's worth of services; ``crash`` and ``open`` again are a ``kill -9``."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(
            data_root=root / "data", run_root=root / "run", default_address_pools=(POOL,)
        )
        self.paths = Paths(self.settings.data_root, self.settings.run_root)
        self.events: list[tuple[str, str, str, dict[str, str]]] = []
        self.listener: Callable[[str], object] = lambda _: None

    def publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str], /
    ) -> None:
        self.events.append((kind, action, actor_id, dict(attributes)))
        self.listener(action)

    async def open(self) -> None:
        paths = self.paths
        layout = Layout(
            bundles=paths.bundle("x").parent,
            execs=paths.run / "execs",
            exits=paths.exits,
            sockets=paths.sockets,
            runtime_root=paths.runtime_root,
        )
        layout.make()
        self.database = Database(paths.database)
        await self.database.open()
        self.store = ContainerStore(self.database)
        await self.store.load()
        volume_rows = VolumeStore(self.database)
        await volume_rows.load()
        self.volumes = VolumeService(
            volume_rows, LocalVolumes(paths.volumes), self.store, self.publish
        )
        await self.volumes.recover()
        self.images = ImageService(
            ImageStore(self.database),
            BlobStore(paths.blobs, paths.ingest),
            LayerStore(paths.layers, paths.ingest),
            self.store,
            self.publish,
        )
        await self.images.open()
        self.networks = NetworkService(self.settings, paths, self.database, self)
        runtime = Runtime("runc", paths.runtime_root)
        self.context = Context(
            settings=self.settings,
            paths=paths,
            store=self.store,
            events=self,
            images=self.images,
            volumes=self.volumes,
            networks=self.networks,
            monitors=ConmonMonitors("conmon", runtime, layout),
            rootfs=OverlayRootfs(self.paths.idmapped),
            host=host.read(ALL, mount_options=await runtime.mount_options()),
            init=find_init(self.settings),
        )
        await self.networks.open(reconcile.live(self.context))
        self.containers = ContainerService(self.context)
        await self.containers.open()

    async def crash(self) -> None:
        """Stop following containers without telling anybody."""
        await self.containers.close()
        await self.networks.close()
        await self.database.close()

    async def close(self) -> None:
        for container in self.store.all():
            await self.containers.remove(container.id, force=True, volumes=True)
        await self.settle()
        await self.networks.erase()
        await self.crash()
        for pattern in ("davit-{}", "*/davit-{}"):
            for group in Path("/sys/fs/cgroup").glob(pattern.format(self.settings.instance)):
                group.rmdir()

    async def settle(self) -> None:
        """Wait for the clean-up that goes on behind answers."""
        await asyncio.wait_for(self.context.background.settle(), 20)

    async def load(self, tag: str = "busybox:latest", **config: Any) -> None:
        built = busybox(tag, **config)
        await self.images.load(chunks(docker_archive(built)), lambda line: None)

    async def create(self, name: str = "", *cmd: str, **request: Any) -> Container:
        body = {"Image": "busybox", "Cmd": list(cmd) or ["true"], **request}
        made = await self.containers.create(name, codec.convert(body, CreateRequest))
        return self.store.get(made.id)

    async def run(self, name: str = "", *cmd: str, **request: Any) -> Container:
        container = await self.create(name, *cmd, **request)
        await self.containers.start(container.id)
        return self.store.get(container.id)

    async def ready(self, container: Container) -> Container:
        """Wait for the line "ready": until then a signal may hit the runtime's own process."""

        def look() -> None:
            while "ready" not in self.log(container):
                time.sleep(0.01)

        await asyncio.wait_for(asyncio.to_thread(look), 20)
        return container

    async def ended(self, container: Container) -> Ended:
        return await asyncio.wait_for(self.containers.wait(container.id), 20)

    def log(self, container: Container) -> str:
        """Standard output and error, without conmon's marks."""
        path = self.paths.log(container.id)
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    def actions(self, container: Container) -> list[str]:
        return [action for kind, action, actor, _ in self.events if actor == container.id]

    def traces(self) -> list[str]:
        """What is left of runs: mounts, bundles, cgroups, files of containers that are gone."""
        root = str(self.paths.data.parent)
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found = [f"mount {line.split()[4]}" for line in mounts if f"{root}/" in line]
        bundles = self.paths.bundle("x").parent
        for directory in (bundles, self.paths.netns, self.paths.runtime_root, self.paths.exits):
            if directory.is_dir():
                found += [f"file {entry}" for entry in directory.iterdir()]
        mark = f"davit-{self.settings.instance}"
        found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{mark}/*/")]
        kept = {container.id for container in self.store.all()}
        if self.paths.containers.is_dir():
            found += [
                f"directory {entry}"
                for entry in self.paths.containers.iterdir()
                if entry.name not in kept
            ]
        return found
