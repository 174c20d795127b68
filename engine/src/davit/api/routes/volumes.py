"""Routes of volumes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import volume as render
from davit.api.routes.swarm import NO_MANAGER
from davit.api.routing import Call, Route
from davit.errors import Unavailable
from davit.model.filters import Filters
from davit.model.volume import Volume, VolumeSpec


class Volumes(Protocol):
    """What these routes need."""

    def get(self, name: str) -> Volume: ...

    def path(self, name: str) -> Path: ...

    def select(self, filters: Filters) -> list[Volume]: ...

    async def create(
        self, name: str, *, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
    ) -> Volume: ...

    async def remove(self, name: str, *, force: bool) -> None: ...

    async def prune(self, filters: Filters, *, named: bool) -> tuple[list[str], int]: ...


def routes(volumes: Volumes) -> list[Route]:
    async def list_volumes(call: Call) -> web.StreamResponse:
        found = volumes.select(call.filters("name", "driver", "label", "dangling"))
        shown = [render.volume(row, volumes.path(row.name)) for row in found]
        return response.json({"Volumes": shown, "Warnings": None})

    async def create(call: Call) -> web.StreamResponse:
        spec = await call.body(VolumeSpec)
        if spec.cluster_volume_spec is not None and call.version >= (1, 42):
            raise Unavailable(NO_MANAGER)
        row = await volumes.create(
            spec.name, driver=spec.driver, options=spec.driver_opts, labels=spec.labels
        )
        return response.json(render.volume(row, volumes.path(row.name)), status=201)

    async def inspect(call: Call) -> web.StreamResponse:
        row = volumes.get(call.name())
        return response.json(render.volume(row, volumes.path(row.name)))

    async def remove(call: Call) -> web.StreamResponse:
        await volumes.remove(call.name(), force=call.flag("force"))
        return response.no_content()

    async def prune(call: Call) -> web.StreamResponse:
        names, gained = await volumes.prune(
            call.filters("label", "label!", "all"), named=call.version < (1, 42)
        )
        return response.json({"VolumesDeleted": names or None, "SpaceReclaimed": gained})

    return [
        Route("GET", "/volumes", list_volumes),
        Route("POST", "/volumes/create", create),
        Route("POST", "/volumes/prune", prune, since=(1, 25)),
        Route("GET", "/volumes/{name}", inspect),
        Route("DELETE", "/volumes/{name}", remove),
    ]
