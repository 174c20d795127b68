"""Routes of the Engine API that davit does not serve yet: each says so (501).

The other tables come first; a route that appears there hides its row here.
"""

from __future__ import annotations

from aiohttp import web

from davit.api.routing import Call, Handler, Route
from davit.errors import NotFound, NotSupported

_TABLE = """
POST   /build
POST   /commit
HEAD   /containers/{id}/archive
GET    /containers/{id}/archive
PUT    /containers/{id}/archive
GET    /containers/{id}/changes
GET    /containers/{id}/export
POST   /containers/{id}/pause
POST   /containers/{id}/unpause
POST   /containers/{id}/update
POST   /containers/prune
GET    /distribution/{name:.+}/json
GET    /images/get
GET    /images/search
GET    /images/{name:.+}/get
POST   /images/{name:.+}/push
POST   /images/prune
GET    /plugins
GET    /plugins/privileges
POST   /plugins/create
POST   /plugins/pull
DELETE /plugins/{name:.+}
POST   /plugins/{name:.+}/disable
POST   /plugins/{name:.+}/enable
POST   /plugins/{name:.+}/push
POST   /plugins/{name:.+}/set
POST   /plugins/{name:.+}/upgrade
POST   /session
POST   /swarm/init
POST   /swarm/join
GET    /system/df
"""


def routes() -> list[Route]:
    rows = (line.split() for line in _TABLE.strip().splitlines())
    refused = [Route(method, path, _refuse(method, path)) for method, path in rows]
    return [*refused, Route("GET", "/plugins/{name:.+}/json", _find_plugin)]


async def _find_plugin(call: Call) -> web.StreamResponse:
    """``docker inspect NAME`` looks here last: there is none, whatever its name."""
    raise NotFound(f'plugin "{call.name("name")}" not found')


def _refuse(method: str, path: str) -> Handler:
    shown = path.replace(":.+", "")

    async def refuse(call: Call) -> web.StreamResponse:
        raise NotSupported(f"{method} {shown} is not implemented by davit yet")

    return refuse
