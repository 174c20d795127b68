"""Routes of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from davit.api import response
from davit.api.render import network as render
from davit.api.routing import Call, Route
from davit.model.filters import Filters
from davit.model.network import (
    ConnectRequest,
    DisconnectRequest,
    EndpointSettings,
    Network,
    NetworkSpec,
    Sandbox,
)


class Networks(Protocol):
    """What these routes need of the networks."""

    def resolve(self, reference: str) -> Network: ...

    def select(self, filters: Filters) -> list[Network]: ...

    def members(self, network: Network) -> Sequence[Sandbox]: ...

    async def create(self, spec: NetworkSpec) -> Network: ...

    async def remove(self, reference: str) -> None: ...

    async def prune(self, filters: Filters) -> list[str]: ...


class ContainerNetworks(Protocol):
    """What these routes need of the containers: connections outlive a container's run."""

    async def connect(
        self, network_ref: str, container_ref: str, wish: EndpointSettings, /
    ) -> None: ...

    async def disconnect(self, network_ref: str, container_ref: str, /, *, force: bool) -> None: ...

    def members(self, network: Network) -> Sequence[Sandbox]:
        """Running containers on a network without endpoints."""
        ...


def routes(networks: Networks, containers: ContainerNetworks) -> list[Route]:
    def members(row: Network) -> list[Sandbox]:
        return [*networks.members(row), *containers.members(row)]

    async def list_networks(call: Call) -> web.StreamResponse:
        filters = call.filters("dangling", "driver", "id", "label", "name", "scope", "type")
        with_members = call.version < (1, 28)
        return response.json(
            [
                render.network(row, members(row) if with_members else ())
                for row in networks.select(filters)
            ]
        )

    async def inspect(call: Call) -> web.StreamResponse:
        row = networks.resolve(call.name())
        return response.json(render.network(row, members(row)))

    async def create(call: Call) -> web.StreamResponse:
        spec = await call.body(NetworkSpec)
        if call.version < (1, 48):  # the field is not known there
            spec = msgspec.structs.replace(spec, enable_ipv4=True)
        row = await networks.create(spec)
        return response.json({"Id": row.id, "Warning": ""}, status=201)

    async def remove(call: Call) -> web.StreamResponse:
        await networks.remove(call.name())
        return response.no_content()

    async def prune(call: Call) -> web.StreamResponse:
        names = await networks.prune(call.filters("label", "label!", "until"))
        return response.json({"NetworksDeleted": names or None})

    async def connect(call: Call) -> web.StreamResponse:
        asked = await call.body(ConnectRequest)
        await containers.connect(call.name(), asked.container, asked.endpoint_config)
        return response.json({})

    async def disconnect(call: Call) -> web.StreamResponse:
        asked = await call.body(DisconnectRequest)
        await containers.disconnect(call.name(), asked.container, force=asked.force)
        return response.json({})

    return [
        Route("GET", "/networks", list_networks),
        Route("POST", "/networks/create", create),
        Route("POST", "/networks/prune", prune, since=(1, 25)),
        Route("GET", "/networks/{name}", inspect),
        Route("DELETE", "/networks/{name}", remove),
        Route("POST", "/networks/{name}/connect", connect),
        Route("POST", "/networks/{name}/disconnect", disconnect),
    ]
