"""Routes of images: list, inspect, history, tag, remove, prune."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import image as render
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.filters import Filters
from davit.model.image import Image, Listed, Removed, Step
from davit.model.reference import Reference

_LIST_FILTERS = ("before", "dangling", "label", "reference", "since", "until")
_PRUNE_FILTERS = ("dangling", "label", "label!", "until")


class Images(Protocol):
    """What these routes need."""

    def resolve(self, reference: str) -> Image: ...

    def directories(self, layers: Sequence[str]) -> list[Path]: ...

    def select(self, filters: Filters, *, all_images: bool, shared: bool) -> list[Listed]: ...

    def history(self, reference: str) -> list[Step]: ...

    async def tag(self, reference: str, tag: str) -> None: ...

    async def remove(self, reference: str, *, force: bool) -> list[Removed]: ...

    async def prune(self, filters: Filters) -> tuple[list[Removed], int]: ...


def routes(images: Images) -> list[Route]:
    async def list_images(call: Call) -> web.StreamResponse:
        found = images.select(
            call.filters(*_LIST_FILTERS),
            all_images=call.flag("all"),
            shared=call.flag("shared-size"),
        )
        return response.json([render.summary(entry, call.version) for entry in found])

    async def inspect(call: Call) -> web.StreamResponse:
        image = images.resolve(call.name())
        return response.json(render.inspect(image, images.directories(image.layers), call.version))

    async def history(call: Call) -> web.StreamResponse:
        return response.json([render.step(step) for step in images.history(call.name())])

    async def tag(call: Call) -> web.StreamResponse:
        repository = call.text("repo")
        if not repository:
            raise InvalidParameter("tag: the parameter repo is missing: name the new repository")
        await images.tag(call.name(), Reference.parse_tag(repository, call.text("tag")))
        return web.Response(status=201)

    async def remove(call: Call) -> web.StreamResponse:
        return response.json(await images.remove(call.name(), force=call.flag("force")))

    async def prune(call: Call) -> web.StreamResponse:
        removed, gained = await images.prune(call.filters(*_PRUNE_FILTERS))
        return response.json({"ImagesDeleted": removed or None, "SpaceReclaimed": gained})

    return [
        Route("GET", "/images/json", list_images),
        Route("POST", "/images/prune", prune, since=(1, 25)),
        Route("GET", "/images/{name:.+}/json", inspect),
        Route("GET", "/images/{name:.+}/history", history),
        Route("POST", "/images/{name:.+}/tag", tag),
        Route("DELETE", "/images/{name:.+}", remove),
    ]
