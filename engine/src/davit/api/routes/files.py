"""Routes of a container's files: archive, export, changes, commit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aiohttp import web

from davit.api import response
from davit.api.render import files as render
from davit.api.routing import Call, Route
from davit.errors import InvalidParameter
from davit.model.config import ContainerConfig
from davit.model.files import Change, PathStat
from davit.model.image import CommitWish, Image
from davit.model.reference import Reference


class Containers(Protocol):
    """What these routes need."""

    async def path_status(self, reference: str, path: str) -> PathStat: ...

    def get_archive(
        self, reference: str, path: str
    ) -> AbstractAsyncContextManager[tuple[PathStat, AsyncGenerator[bytes, None]]]: ...

    async def put_archive(
        self,
        reference: str,
        path: str,
        chunks: AsyncIterator[bytes],
        *,
        replace: bool = True,
        own: bool = False,
    ) -> None: ...

    def export(self, reference: str) -> AsyncGenerator[bytes, None]: ...

    async def changes(self, reference: str) -> list[Change]: ...

    async def commit(
        self,
        reference: str,
        wish: CommitWish,
        *,
        override: ContainerConfig | None = None,
        still: bool = True,
    ) -> Image: ...


def routes(containers: Containers) -> list[Route]:
    async def head(call: Call) -> web.StreamResponse:
        found = await containers.path_status(call.name("id"), _path(call))
        return web.Response(headers={render.STAT_HEADER: render.path_stat(found)})

    async def get(call: Call) -> web.StreamResponse:
        async with containers.get_archive(call.name("id"), _path(call)) as (found, pieces):
            headers = {render.STAT_HEADER: render.path_stat(found)}
            return await response.archive(call, pieces, headers)

    async def put(call: Call) -> web.StreamResponse:
        await containers.put_archive(
            call.name("id"),
            _path(call),
            call.chunks(),
            replace=not call.flag("noOverwriteDirNonDir"),
            own=call.flag("copyUIDGID"),
        )
        return web.Response()

    async def export(call: Call) -> web.StreamResponse:
        return await response.archive(call, containers.export(call.name("id")))

    async def changes(call: Call) -> web.StreamResponse:
        return response.json(await containers.changes(call.name("id")) or None)

    async def commit(call: Call) -> web.StreamResponse:
        reference = call.text("container")
        if not reference:
            raise InvalidParameter("container= is needed: the container to commit")
        repository = call.text("repo")
        # Clients send null for no configuration.
        has_body = (await call.request.read()).strip() not in (b"", b"null")
        wish = CommitWish(
            tag=Reference.parse_tag(repository, call.text("tag")) if repository else "",
            comment=call.text("comment"),
            author=call.text("author"),
            changes=[line for text in call.texts("changes") for line in text.splitlines()],
        )
        image = await containers.commit(
            reference,
            wish,
            override=await call.body(ContainerConfig) if has_body else None,
            still=call.flag("pause", default=True),
        )
        return response.json({"Id": image.id}, 201)

    return [
        Route("HEAD", "/containers/{id}/archive", head),
        Route("GET", "/containers/{id}/archive", get, abort=True),
        Route("PUT", "/containers/{id}/archive", put),
        Route("GET", "/containers/{id}/export", export, abort=True),
        Route("GET", "/containers/{id}/changes", changes),
        Route("POST", "/commit", commit),
    ]


def _path(call: Call) -> str:
    path = call.text("path")
    if not path:
        raise InvalidParameter("path= is needed: a path in the container")
    if "\0" in path:
        raise InvalidParameter("path= holds a null byte: take it out")
    return path
