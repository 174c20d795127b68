"""Builds: a context and a Dockerfile become an image."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable

from davit.model.build import (
    MARK,
    MOUNT,
    STEP,
    BuildLine,
    BuildRequest,
    CacheLimits,
    CacheRecord,
)
from davit.model.filters import Filters
from davit.model.image import Progress
from davit.services.build.caches import Caches
from davit.services.build.needs import Auths, Needs
from davit.services.build.pruning import chosen
from davit.services.containers import cleanup

logger = logging.getLogger(__name__)


class BuildService:
    """Classic builds, and what all builds leave for later ones."""

    def __init__(self, needs: Needs, caches: Caches) -> None:
        self._needs = needs
        self._caches = caches

    async def open(self) -> None:
        """Remove the containers and secrets of builds that a crash has cut; once, at start-up."""
        await cleanup.remove_tree(self._needs.paths.build_secrets)
        containers = self._needs.containers
        for container in containers.all():
            if MARK in container.host_config.annotations:
                logger.info("container %s is of a build that was cut", container.name)
                await containers.remove(container.id, force=True, volumes=True)

    async def build(
        self,
        request: BuildRequest,
        chunks: AsyncIterator[bytes],
        report: Callable[[BuildLine | Progress], None],
        auths: Auths,
    ) -> None:
        """Build; every line of output is reported, and a failure after the first one, too.

        auths: credentials by registry. Raises InvalidParameter for a context or a Dockerfile that
        is wrong. When the caller is cancelled nothing stays but the steps that were done.
        """
        # Imported with the first build: most hosts never have one.
        from davit.services.build import classic

        await classic.build(self._needs, self._caches, request, chunks, report, auths)

    async def kept(self) -> list[CacheRecord]:
        """Tell what is kept for later builds: steps, and the caches of commands."""
        return [*self._needs.images.steps(), *await self._caches.records()]

    async def prune(
        self, filters: Filters, limits: CacheLimits, *, every: bool = False
    ) -> tuple[list[str], int]:
        """Remove what is kept for later builds; return its IDs and the bytes gained.

        every: also steps that an image with a name was made from. Raises InvalidParameter.
        """
        disk = await asyncio.to_thread(shutil.disk_usage, self._needs.paths.data)
        going = chosen(await self.kept(), filters, limits, disk.free, every=every)
        steps = [record.id for record in going if record.kind == STEP]
        gained = await self._needs.images.remove_steps(steps)
        caches = [record for record in going if record.kind == MOUNT]
        removed = await self._caches.remove([record.id for record in caches])
        gained += sum(record.size for record in caches if record.id in removed)
        return [*steps, *removed], gained
