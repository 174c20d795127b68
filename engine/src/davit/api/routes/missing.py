"""Routes of the Engine API that davit does not serve, yet or ever: each says so, and why (501).

What only a node of a swarm can do is in ``swarm.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from davit.api.routing import Call, Handler, Route
from davit.errors import NotSupported


@dataclass(frozen=True)
class Refusal:
    """An operation that is not served. reason: for the client, and for ``docs/api.md``."""

    method: str
    path: str
    reason: str


_SWARM = """
POST   /swarm/init
"""
_PLUGINS = """
GET    /plugins/privileges
POST   /plugins/create
POST   /plugins/pull
"""


def refusals() -> list[Refusal]:
    """Everything that is not served."""
    tables = (
        (
            _SWARM,
            "davit is a worker in swarms: begin one where Moby is, and join it from here",
        ),
        (_PLUGINS, "davit has no plugins: volumes, networks and logs are built in"),
    )
    return [
        Refusal(method, path, reason)
        for table, reason in tables
        for method, path in map(str.split, table.strip().splitlines())
    ]


def routes() -> list[Route]:
    return [Route(row.method, row.path, _handler(row)) for row in refusals()]


def _handler(row: Refusal) -> Handler:
    shown = row.path.replace(":.+", "")

    async def refuse(call: Call) -> web.StreamResponse:
        raise NotSupported(f"{row.method} {shown} is not implemented by davit: {row.reason}")

    return refuse
