"""Routes of the swarm API, as a node answers that is a worker or in no swarm at all.

To begin a swarm, ``/swarm/init``, is in ``missing.py``: it makes a manager.
"""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from davit.api.routing import Call, Route
from davit.errors import Unavailable
from davit.model.swarm import JoinRequest, NodeState, SwarmInfo

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


NO_WORKER = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. "
    "Please run this command on a manager node or promote the current node to a manager."
)


class Swarm(Protocol):
    """What these routes need."""

    def info(self) -> SwarmInfo: ...

    async def join(self, wish: JoinRequest) -> None: ...

    async def leave(self) -> None: ...


def routes(swarm: Swarm) -> list[Route]:
    async def refuse(call: Call) -> web.StreamResponse:
        inactive = swarm.info().state is NodeState.INACTIVE
        raise Unavailable(NO_MANAGER if inactive else NO_WORKER)

    async def join(call: Call) -> web.StreamResponse:
        await swarm.join(await call.body(JoinRequest))
        return web.Response()

    async def leave(call: Call) -> web.StreamResponse:
        await swarm.leave()
        return web.Response()

    return [
        *(Route(method, path, refuse) for method, path in of_managers()),
        Route("POST", "/swarm/join", join),
        Route("POST", "/swarm/leave", leave),
        Route("PUT", "/volumes/{name}", _update_volume),
    ]


def of_managers() -> list[tuple[str, str]]:
    """Return method and path of what only managers can answer."""
    rows = (line.split() for line in _OF_MANAGERS.strip().splitlines())
    return [(method, path) for method, path in rows]


async def _update_volume(call: Call) -> web.StreamResponse:
    raise Unavailable("volume update only valid for cluster volumes, but swarm is unavailable")
