"""Routes of the swarm API, as a node answers that belongs to no swarm (503).

To become part of one, ``/swarm/init`` and ``/swarm/join``, is in ``missing.py``.
"""

from __future__ import annotations

from aiohttp import web

from davit.api.routing import Call, Route
from davit.errors import Unavailable

_OF_MANAGERS = """
GET    /configs
POST   /configs/create
GET    /configs/{id}
DELETE /configs/{id}
POST   /configs/{id}/update
GET    /nodes
GET    /nodes/{id}
DELETE /nodes/{id}
POST   /nodes/{id}/update
GET    /secrets
POST   /secrets/create
GET    /secrets/{id}
DELETE /secrets/{id}
POST   /secrets/{id}/update
GET    /services
POST   /services/create
GET    /services/{id}
DELETE /services/{id}
GET    /services/{id}/logs
POST   /services/{id}/update
GET    /swarm
POST   /swarm/unlock
GET    /swarm/unlockkey
POST   /swarm/update
GET    /tasks
GET    /tasks/{id}
GET    /tasks/{id}/logs
"""


# Clients look for these words.
NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)


def routes() -> list[Route]:
    rows = (line.split() for line in _OF_MANAGERS.strip().splitlines())
    return [
        *(Route(method, path, _refuse) for method, path in rows),
        Route("POST", "/swarm/leave", _leave),
        Route("PUT", "/volumes/{name}", _update_volume),
    ]


async def _refuse(call: Call) -> web.StreamResponse:
    raise Unavailable(NO_MANAGER)


async def _leave(call: Call) -> web.StreamResponse:
    raise Unavailable("This node is not part of a swarm")


async def _update_volume(call: Call) -> web.StreamResponse:
    raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")
