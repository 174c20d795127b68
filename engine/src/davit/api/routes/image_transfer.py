"""Routes that bring images in and out: import, load, save."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from davit.api import progress, response
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter, NotSupported
from davit.model import codec
from davit.model.image import Image, Progress
from davit.model.reference import Reference


class Images(Protocol):
    """What these routes need."""

    async def import_image(
        self,
        chunks: AsyncIterator[bytes],
        *,
        tag: str,
        message: str,
        changes: Sequence[str],
        platform: str,
    ) -> Image: ...

    async def load(
        self, chunks: AsyncIterator[bytes], report: Callable[[Progress], None], *, platform: str
    ) -> list[Image]: ...

    def save(self, names: Sequence[str]) -> AsyncIterator[bytes]: ...


class _Platform(msgspec.Struct, frozen=True):
    """The OCI platform that ``load`` and ``save`` take as JSON."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""


def routes(images: Images) -> list[Route]:
    async def create(call: Call) -> web.StreamResponse:
        if call.text("fromImage"):
            raise NotSupported(
                "POST /images/create?fromImage= (pull) is not implemented by davit yet: load an "
                "archive with POST /images/load (docker load) instead"
            )
        source = call.text("fromSrc")
        if source != "-":
            raise NotSupported(
                f"POST /images/create?fromSrc={source}: davit imports from the request's body "
                "only: send the archive with fromSrc=-"
            )
        repository = call.text("repo")
        tag = Reference.parse_tag(repository, call.text("tag")) if repository else ""

        async def work(report: progress.Report) -> None:
            image = await images.import_image(
                _chunks(call),
                tag=tag,
                message=call.text("message"),
                changes=call.texts("changes"),
                platform=call.text("platform"),
            )
            report(Progress(status=image.id))

        return await progress.stream(call, work)

    async def load(call: Call) -> web.StreamResponse:
        quiet, platform = call.flag("quiet"), _platform(call)

        async def work(report: progress.Report) -> None:
            def tell(line: Progress) -> None:
                if line.stream or not quiet:
                    report(line)

            await images.load(_chunks(call), tell, platform=platform)

        # Clients look for the failure of a load in the stream only.
        return await progress.stream(call, work, refuse=False)

    async def save(call: Call) -> web.StreamResponse:
        names = [name for text in call.texts("names") for name in text.split(",")]
        if not names:
            raise InvalidParameter("GET /images/get: name the images to save with names=")
        return await response.stream(call, images.save(names), "application/x-tar")

    async def save_one(call: Call) -> web.StreamResponse:
        return await response.stream(call, images.save([call.name()]), "application/x-tar")

    return [
        Route("POST", "/images/create", create),
        Route("POST", "/images/load", load),
        Route("GET", "/images/get", save, abort=True),
        Route("GET", "/images/{name:.+}/get", save_one, abort=True),
    ]


def _chunks(call: Call) -> AsyncIterator[bytes]:
    return call.request.content.iter_any()


def _platform(call: Call) -> str:
    text = call.text("platform")
    if not text:
        return ""
    platform = codec.parse(text.encode(), _Platform)
    parts = (platform.os, platform.architecture, platform.variant)
    return "/".join(part for part in parts if part)
