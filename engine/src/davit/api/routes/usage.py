"""``GET /system/df``: what images, containers and volumes take."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import build as render_build
from davit.api.render import container as render_container
from davit.api.render import image as render_image
from davit.api.render import volume as render_volume
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.build import CacheRecord
from davit.model.container import Details
from davit.model.filters import Filters
from davit.model.image import Listed
from davit.model.volume import VolumeUsage

_TYPES = ("container", "image", "volume", "build-cache")
_NO_BUILDER_SIZE = (1, 42)


class Images(Protocol):
    def select(self, filters: Filters, *, all_images: bool, shared: bool) -> list[Listed]: ...

    def layers_size(self) -> int: ...


class Containers(Protocol):
    async def select(
        self, filters: Filters, *, every: bool = False, limit: int = 0, size: bool = False
    ) -> list[Details]: ...


class Builds(Protocol):
    async def kept(self) -> list[CacheRecord]: ...


class Volumes(Protocol):
    def path(self, name: str) -> Path: ...

    async def usage(self) -> list[VolumeUsage]: ...


def routes(images: Images, containers: Containers, volumes: Volumes, builds: Builds) -> list[Route]:
    async def usage(call: Call) -> web.StreamResponse:
        wanted = call.texts("type") or list(_TYPES)
        for name in wanted:
            if name not in _TYPES:
                raise InvalidParameter(f"unknown object type: {name}: use {', '.join(_TYPES)}")
        nothing = Filters({})
        shown: dict[str, Any] = {}
        if "image" in wanted:
            found = images.select(nothing, all_images=True, shared=True)
            shown["LayersSize"] = images.layers_size()
            shown["Images"] = [render_image.summary(entry, call.version) for entry in found]
        if "container" in wanted:
            details = await containers.select(nothing, every=True, size=True)
            shown["Containers"] = [render_container.summary(row, call.version) for row in details]
        if "volume" in wanted:
            shown["Volumes"] = [
                render_volume.usage(entry, volumes.path(entry.volume.name))
                for entry in await volumes.usage()
            ]
        if "build-cache" in wanted:
            records = await builds.kept()
            shown["BuildCache"] = [render_build.record(entry, call.version) for entry in records]
            if call.version < _NO_BUILDER_SIZE:
                shown["BuilderSize"] = sum(entry.size for entry in records)
        return response.json(shown)

    return [Route("GET", "/system/df", usage, since=(1, 25), abort=True)]
