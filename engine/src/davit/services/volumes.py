"""Volumes: create, find, mount for containers, remove, prune."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from davit.drivers.volume import options as volume_options
from davit.drivers.volume.local import LocalVolumes
from davit.errors import Conflict, DavitError, InvalidParameter, NotFound, NotSupported
from davit.model import ids, times
from davit.model.container import Container
from davit.model.filters import Filters
from davit.model.volume import ANONYMOUS, Volume, VolumeUsage
from davit.store.volumes import VolumeStore

logger = logging.getLogger(__name__)

LIST_FILTERS = ("name", "driver", "label", "dangling")
PRUNE_FILTERS = ("label", "label!", "all")

Publish = Callable[[str, str, str, Mapping[str, str]], None]


class Containers(Protocol):
    """Who may use volumes."""

    def all(self) -> list[Container]: ...


class VolumeService:
    """Everything that can be done with volumes. publish: ``(type, action, actor, attributes)``."""

    def __init__(
        self, store: VolumeStore, driver: LocalVolumes, containers: Containers, publish: Publish
    ) -> None:
        self._store = store
        self._driver = driver
        self._containers = containers
        self._publish = publish
        self._mounted: dict[str, set[str]] = {}
        self._held: Counter[str] = Counter()
        # Between looking for a mount and making or taking it nobody else may do either. One lock
        # a volume: a server that does not answer keeps others from none but its own.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def recover(self) -> None:
        """Finish what a crash interrupted; once, at start-up."""
        await self._driver.recover(volume.name for volume in self._store.all())

    def get(self, name: str) -> Volume:
        """Raises NotFound."""
        return self._store.get(name)

    def find(self, name: str) -> Volume | None:
        return self._store.find(name)

    def path(self, name: str) -> Path:
        """The directory that the volume's users see."""
        return self._driver.path(name)

    def all(self) -> list[Volume]:
        return self._store.all()

    def users(self, name: str) -> list[str]:
        """IDs of the containers, running or not, that have this volume."""
        return [
            container.id
            for container in self._containers.all()
            if any(mount.type == "volume" and mount.name == name for mount in container.mounts)
        ]

    def select(self, filters: Filters) -> list[Volume]:
        """Volumes that pass :data:`LIST_FILTERS`, by name."""
        dangling = filters.flag("dangling")
        return sorted(
            (
                volume
                for volume in self._store.all()
                if filters.accepts("driver", volume.driver)
                and filters.accepts_labels(volume.labels)
                and ("name" not in filters or any(n in volume.name for n in filters.get("name")))
                and (dangling is None or dangling is not bool(self.users(volume.name)))
            ),
            key=lambda volume: volume.name,
        )

    async def create(
        self,
        name: str,
        *,
        driver: str = "local",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """Return the volume, created when missing; an empty name makes an anonymous one.

        Raises InvalidParameter (name, options), NotFound (another driver).
        """
        if driver not in ("", "local"):
            raise NotFound(
                f'error looking up volume plugin {driver}: plugin "{driver}" not found: '
                "davit has the driver 'local' only"
            )
        if len(name) == 1:
            raise InvalidParameter(
                f"create {name}: volume name is too short, names should be at least two "
                "alphanumeric characters"
            )
        if name and not ids.is_name(name):
            raise InvalidParameter(
                f'create {name}: "{name}" includes invalid characters for a local volume name, '
                'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host '
                "directory, use absolute path"
            )
        known = self._store.find(name)
        if known is not None:
            return known
        volume = Volume(
            name=name or ids.new_id(),
            created=times.now(),
            labels={**(labels or {}), **({} if name else {ANONYMOUS: ""})},
            options=dict(options or {}),
        )
        try:
            volume_options.check(volume.options)
        except InvalidParameter as error:
            raise InvalidParameter(f"create {volume.name}: {error.message}") from None
        await self._driver.create(volume.name)
        await self._store.add(volume)
        self._publish("volume", "create", volume.name, {"driver": volume.driver})
        return volume

    async def ensure(
        self,
        name: str,
        *,
        driver: str = "local",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """As ``create``, for a container, where NotFound is kept for its image: NotSupported."""
        try:
            return await self.create(name, driver=driver, options=options, labels=labels)
        except NotFound as error:
            raise NotSupported(error.message) from None

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep a volume from being removed until a container's row names it."""
        self._held[name] += 1
        try:
            yield
        finally:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

    async def fill(self, name: str, source: Path) -> None:
        """Copy an image's directory into the volume unless that has files already."""
        filling = f"filling {source}"
        await self.mount(name, filling)
        try:
            if await self._driver.is_empty(name):
                await self._driver.fill(name, source)
        finally:
            await self.unmount(name, filling)

    async def mount(self, name: str, container_id: str) -> Path:
        """Make the volume's directory ready for a starting container and return it."""
        volume = self._store.get(name)
        async with self._lock(name):
            if volume_options.needs_mount(volume.options):
                await self._driver.mount(name, volume.options)
            self._mounted.setdefault(name, set()).add(container_id)
        return self._driver.path(name)

    def adopt(self, name: str, container_id: str) -> None:
        """Note that a container has been using the volume since before davitd started."""
        self._mounted.setdefault(name, set()).add(container_id)

    async def unmount(self, name: str, container_id: str) -> None:
        """Give the volume back; the last user takes an options' mount down. Idempotent."""
        async with self._lock(name):
            users = self._mounted.get(name, set())
            users.discard(container_id)
            if users:
                return
            self._mounted.pop(name, None)
            volume = self._store.find(name)
            if volume is not None and volume_options.needs_mount(volume.options):
                await self._driver.unmount(name)

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Delete a volume with its data. Raises NotFound, Conflict when a container has it.

        force: a volume that does not exist is no error.
        """
        volume = self._store.find(name)
        if volume is None:
            if force:
                return
            raise NotFound(f"get {name}: no such volume")
        users = self.users(name)
        if users:
            raise Conflict(
                f"remove {name}: volume is in use - [{', '.join(users)}]: remove these containers "
                "first"
            )
        if self._held[name]:
            raise Conflict(f"remove {name}: volume is in use - []: a container is being created")
        if volume_options.needs_mount(volume.options):
            await self._driver.unmount(name)
        await self._driver.hide(name)
        await self._store.remove(name)
        await self._driver.delete(name)
        self._publish("volume", "destroy", name, {"driver": volume.driver})

    async def prune(self, filters: Filters, *, named: bool = False) -> tuple[list[str], int]:
        """Remove volumes that no container has; return their names and the bytes gained.

        named: also those that a user named (what API versions before 1.42 meant). What options
        mount is elsewhere: such volumes stay, as nothing would be gained.
        """
        named = named or bool(filters.flag("all"))
        removed: list[str] = []
        gained = 0
        for volume in self._store.all():
            wanted = filters.accepts_labels(volume.labels) and not filters.rejects_labels(
                volume.labels
            )
            used = self._held[volume.name] or self.users(volume.name)
            if not wanted or used or volume.options or not (named or volume.anonymous):
                continue
            size = await self._driver.size(volume.name)
            try:
                await self.remove(volume.name, force=True)
            except DavitError as error:
                logger.info("prune leaves volume %s: %s", volume.name, error.message)
                continue
            removed.append(volume.name)
            gained += size
        self._publish("volume", "prune", "", {"reclaimed": str(gained)})
        return removed, gained

    async def usage(self) -> list[VolumeUsage]:
        """Each volume with its size and the number of containers that have it.

        Those with options are left out: what these mount is elsewhere, as large as it may be.
        """
        return [
            VolumeUsage(
                volume=volume,
                size=await self._driver.size(volume.name),
                users=len(self.users(volume.name)),
            )
            for volume in self._store.all()
            if not volume.options
        ]

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())
