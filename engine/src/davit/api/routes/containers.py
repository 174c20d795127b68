"""Routes of the containers' life cycle."""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp import web

from davit.api import older, response
from davit.api.render import container as render
from davit.api.routing import Call, Route
from davit.errors import NotSupported
from davit.model import codec
from davit.model.container import (
    LIST_FILTERS,
    Created,
    CreateRequest,
    Details,
    Ended,
    Processes,
    UpdateRequest,
)
from davit.model.filters import Filters


class Containers(Protocol):
    """What these routes need."""

    async def create(
        self, name: str, request: CreateRequest, platform: str = "", *, deep_read_only: bool
    ) -> Created: ...

    async def start(self, reference: str) -> None: ...

    async def stop(
        self, reference: str, *, signal: str = "", timeout: int | None = None
    ) -> None: ...

    async def restart(
        self, reference: str, *, signal: str = "", timeout: int | None = None
    ) -> None: ...

    async def kill(self, reference: str, signal: str = "") -> None: ...

    async def pause(self, reference: str) -> None: ...

    async def unpause(self, reference: str) -> None: ...

    def wait(self, reference: str, condition: str = "") -> asyncio.Future[Ended]: ...

    async def remove(
        self, reference: str, *, force: bool = False, volumes: bool = False
    ) -> None: ...

    async def unlink(self, link: str) -> None: ...

    async def prune(self, filters: Filters) -> tuple[list[str], int]: ...

    async def rename(self, reference: str, name: str) -> None: ...

    async def update(self, reference: str, request: UpdateRequest) -> list[str]: ...

    async def inspect(self, reference: str, *, size: bool = False) -> Details: ...

    async def top(self, reference: str, arguments: str = "") -> Processes: ...

    async def select(
        self, filters: Filters, *, every: bool = False, limit: int = 0, size: bool = False
    ) -> list[Details]: ...


def routes(containers: Containers) -> list[Route]:
    async def list_containers(call: Call) -> web.StreamResponse:
        found = await containers.select(
            call.filters(*LIST_FILTERS),
            every=call.flag("all"),
            limit=call.integer("limit") or 0,
            size=call.flag("size"),
        )
        return response.json([render.summary(details, call.version) for details in found])

    async def create(call: Call) -> web.StreamResponse:
        request = older.create_request(await call.body(CreateRequest), call.version)
        made = await containers.create(
            call.text("name"),
            request,
            call.text("platform") if call.version >= (1, 41) else "",
            deep_read_only=call.version >= (1, 44),
        )
        return response.json(made, status=201)

    async def inspect(call: Call) -> web.StreamResponse:
        details = await containers.inspect(call.name("id"), size=call.flag("size"))
        return response.json(render.inspect(details, call.version))

    async def start(call: Call) -> web.StreamResponse:
        if call.text("checkpoint"):
            raise NotSupported("checkpoints are not supported by davit: start without one")
        await containers.start(call.name("id"))
        return response.no_content()

    async def stop(call: Call) -> web.StreamResponse:
        await containers.stop(
            call.name("id"), signal=call.text("signal"), timeout=call.integer("t")
        )
        return response.no_content()

    async def restart(call: Call) -> web.StreamResponse:
        await containers.restart(
            call.name("id"), signal=call.text("signal"), timeout=call.integer("t")
        )
        return response.no_content()

    async def kill(call: Call) -> web.StreamResponse:
        await containers.kill(call.name("id"), call.text("signal"))
        return response.no_content()

    async def pause(call: Call) -> web.StreamResponse:
        await containers.pause(call.name("id"))
        return response.no_content()

    async def unpause(call: Call) -> web.StreamResponse:
        await containers.unpause(call.name("id"))
        return response.no_content()

    async def wait(call: Call) -> web.StreamResponse:
        ended = containers.wait(call.name("id"), call.text("condition"))
        # The head goes out at once: a client starts the container when it has seen it.
        answer = await response.begin(call)
        result = await ended
        shown: dict[str, object] = {"StatusCode": result.exit_code}
        if result.error:
            shown["Error"] = {"Message": result.error}
        await answer.write(codec.encode(shown))
        await answer.write_eof()
        return answer

    async def remove(call: Call) -> web.StreamResponse:
        if call.flag("link"):
            await containers.unlink(call.name("id"))
            return response.no_content()
        await containers.remove(call.name("id"), force=call.flag("force"), volumes=call.flag("v"))
        return response.no_content()

    async def prune(call: Call) -> web.StreamResponse:
        removed, gained = await containers.prune(call.filters("until", "label", "label!"))
        return response.json({"ContainersDeleted": removed or None, "SpaceReclaimed": gained})

    async def rename(call: Call) -> web.StreamResponse:
        await containers.rename(call.name("id"), call.text("name"))
        return response.no_content()

    async def update(call: Call) -> web.StreamResponse:
        warnings = await containers.update(call.name("id"), await call.body(UpdateRequest))
        return response.json({"Warnings": warnings or None})

    async def top(call: Call) -> web.StreamResponse:
        return response.json(await containers.top(call.name("id"), call.text("ps_args")))

    return [
        Route("GET", "/containers/json", list_containers),
        Route("POST", "/containers/create", create),
        Route("POST", "/containers/prune", prune, since=(1, 25)),
        Route("GET", "/containers/{id}/json", inspect),
        Route("GET", "/containers/{id}/top", top),
        Route("POST", "/containers/{id}/start", start),
        Route("POST", "/containers/{id}/stop", stop),
        Route("POST", "/containers/{id}/restart", restart),
        Route("POST", "/containers/{id}/kill", kill),
        Route("POST", "/containers/{id}/pause", pause),
        Route("POST", "/containers/{id}/unpause", unpause),
        Route("POST", "/containers/{id}/wait", wait, abort=True),
        Route("POST", "/containers/{id}/rename", rename),
        Route("POST", "/containers/{id}/update", update),
        # A link is named with a slash: parent/alias.
        Route("DELETE", "/containers/{id:.+}", remove),
    ]
