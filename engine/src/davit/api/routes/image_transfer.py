"""Routes that bring images in and out: pull, push, import, load, save."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from davit.api import credentials, progress, response
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter, NotSupported
from davit.model import codec
from davit.model.image import Image, Progress
from davit.model.reference import Reference
from davit.model.registry import AuthConfig


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

    def save(self, names: Sequence[str]) -> AsyncGenerator[bytes, None]: ...


class _Platform(msgspec.Struct, frozen=True):
    """The OCI platform that ``load`` and ``save`` take as JSON."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""


class Remote(Protocol):
    """What pulling and pushing need."""

    async def pull(
        self, name: str, *, platform: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> Image: ...

    async def pull_all(
        self, name: str, *, platform: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> None: ...

    async def push(
        self, name: str, *, tag: str, auth: AuthConfig, report: Callable[[Progress], None]
    ) -> None: ...


def routes(images: Images, remote: Remote) -> list[Route]:
    async def create(call: Call) -> web.StreamResponse:
        if call.text("fromImage"):
            return await pull(call)
        return await import_image(call)

    async def pull(call: Call) -> web.StreamResponse:
        name, tag = call.text("fromImage"), call.text("tag")
        if tag:
            name = f"{name}@{tag}" if ":" in tag else Reference.parse_tag(name, tag)
        auth, platform = credentials.read(call), call.text("platform")
        reference = Reference.parse(name)

        async def work(report: progress.Report) -> None:
            if reference.tag or reference.digest:
                await remote.pull(name, platform=platform, auth=auth, report=report)
            else:
                await remote.pull_all(name, platform=platform, auth=auth, report=report)

        return await progress.stream(call, work, abort=True)

    async def import_image(call: Call) -> web.StreamResponse:
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
                call.chunks(),
                tag=tag,
                message=call.text("message"),
                changes=call.texts("changes"),
                platform=call.text("platform"),
            )
            report(Progress(status=image.id))

        # A route cannot tell a pull, which its client may cancel, from an import.
        return await progress.stream(call, work, abort=True)

    async def push(call: Call) -> web.StreamResponse:
        auth, name, tag = credentials.read(call), call.name(), call.text("tag")

        async def work(report: progress.Report) -> None:
            await remote.push(name, tag=tag, auth=auth, report=report)

        return await progress.stream(call, work, abort=True)

    async def load(call: Call) -> web.StreamResponse:
        quiet, platform = call.flag("quiet"), _platform(call)

        async def work(report: progress.Report) -> None:
            def tell(line: Progress) -> None:
                if line.stream or not quiet:
                    report(line)

            await images.load(call.chunks(), tell, platform=platform)

        # Clients look for the failure of a load in the stream only.
        return await progress.stream(call, work, refuse=False)

    async def save(call: Call) -> web.StreamResponse:
        names = [name for text in call.texts("names") for name in text.split(",")]
        if not names:
            raise InvalidParameter("GET /images/get: name the images to save with names=")
        return await response.archive(call, images.save(names))

    async def save_one(call: Call) -> web.StreamResponse:
        return await response.archive(call, images.save([call.name()]))

    return [
        Route("POST", "/images/create", create, abort=True),
        Route("POST", "/images/load", load),
        Route("POST", "/images/{name:.+}/push", push, abort=True),
        Route("GET", "/images/get", save, abort=True),
        Route("GET", "/images/{name:.+}/get", save_one, abort=True),
    ]


def _platform(call: Call) -> str:
    text = call.text("platform")
    if not text:
        return ""
    platform = codec.parse(text.encode(), _Platform)
    parts = (platform.os, platform.architecture, platform.variant)
    return "/".join(part for part in parts if part)
