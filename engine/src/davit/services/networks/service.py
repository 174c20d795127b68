"""The networks as one thing: what the container services, the routes and the daemon hold."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from davit.config import Settings
from davit.drivers import netlink
from davit.errors import DavitError
from davit.model.idmap import Remap
from davit.model.network import DEFAULT_NETWORK, JoinRequest, Network, Sandbox
from davit.services.networks import hosts, names, resolver
from davit.services.networks.addresses import bridge_addresses
from davit.services.networks.connect import Sandboxes
from davit.services.networks.guard import Guard
from davit.services.networks.manage import Events, Networks
from davit.services.networks.packet_filter import PacketFilter
from davit.services.networks.plugs import veth_name
from davit.services.networks.pool import NamespacePool
from davit.services.networks.resolver import Resolvers
from davit.store.db import Database
from davit.store.networks import NetworkStore, SandboxStore
from davit.store.paths import Paths
from davit.sys import netns

logger = logging.getLogger(__name__)


class NetworkService:
    """Implements ``services.containers.needs.Networking`` and what the networks' routes need."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        database: Database,
        events: Events,
        remap: Remap | None = None,
    ) -> None:
        self._directory = paths.netns
        self._own = Resolvers(settings.dns, settings.dns_search, settings.dns_options)
        self._store = NetworkStore(database)
        self._rows = SandboxStore(database)
        self._links = netlink.Links()
        self._pool = NamespacePool(owner=Path(remap.userns) if remap else None)
        self._packets = PacketFilter(f"davit_{settings.instance}", self._store, self._rows)
        self._names = names.NameServers(self._rows, self._own)
        self._networks = Networks(
            settings, self._store, self._rows, self._links, self._packets, events
        )
        self._sandboxes = Sandboxes(
            paths.netns,
            self._store,
            self._rows,
            self._pool,
            self._links,
            self._packets,
            self._names,
        )
        self._guard = Guard(self._networks, self._store, self._rows, self._links, self._packets)
        self.resolve = self._store.get
        self.create = self._networks.create
        self.remove = self._networks.remove
        self.select = self._networks.select
        self.prune = self._networks.prune
        self.sandbox = self._rows.find
        self.prepare = self._sandboxes.prepare
        self.join = self._sandboxes.join
        self.leave = self._sandboxes.leave
        self.connect = self._sandboxes.connect
        self.disconnect = self._sandboxes.disconnect
        self.rename = self._sandboxes.rename
        self.check = self._sandboxes.check
        self.settle = self._sandboxes.settle

    async def open(self, live: Collection[str]) -> None:
        """Take up where an earlier davitd ended. live: IDs of the containers that still run."""
        await asyncio.to_thread(self._directory.mkdir, parents=True, exist_ok=True, mode=0o711)
        await self._store.load()
        await self._rows.load()
        for sandbox in self._rows.all():
            pinned = await asyncio.to_thread(netns.is_pinned, Path(sandbox.netns))
            if sandbox.container_id not in live or not pinned:
                await self._rows.remove(sandbox.container_id)
        await self._networks.ensure_predefined()
        await self._networks.ensure_bridges()
        await asyncio.to_thread(self._sweep, live)
        await self._packets.sync()
        await self._packets.warn()
        for sandbox in self._rows.all():
            try:
                await self._sandboxes.adopt(sandbox)
            except DavitError as error:
                logger.error("container %s: %s", sandbox.name, error.message)
        self._pool.fill()
        self._guard.open()

    async def close(self) -> None:
        """End, leaving running containers connected."""
        await self._guard.close()
        await self._sandboxes.close()
        await self._pool.close()
        self._links.close()

    async def erase(self) -> None:
        """Remove every kernel object of this daemon; for when no container runs any more."""
        await self.settle()
        await self._guard.close()
        await asyncio.to_thread(self._sweep, ())
        for link in await asyncio.to_thread(netlink.marked, self._networks.alias):
            await asyncio.to_thread(self._links.delete, link)
        await self._packets.erase()

    def members(self, network: Network) -> list[Sandbox]:
        """The running containers on a network."""
        return self._rows.on(network)

    async def resolv_conf(self, request: JoinRequest) -> str:
        """Text for a starting container's ``/etc/resolv.conf``."""
        own = Resolvers(request.resolvers, request.search, request.options).or_else(self._own)
        networks = [self._store.get(network_id).name for network_id in request.endpoints]
        return resolver.resolv_conf(own, await asyncio.to_thread(names.host_resolvers), networks)

    async def reach(self, container_id: str, others: Mapping[str, list[str]]) -> None:
        """Change what a running container links to, ID → ports."""
        sandbox = self._rows.find(container_id)
        if sandbox is not None:
            await self._rows.put(msgspec.structs.replace(sandbox, reaches=dict(others)))
            await self._packets.sync()

    def hosts(
        self,
        request: JoinRequest,
        sandbox: Sandbox | None,
        domainname: str = "",
        links: Sequence[str] = (),
    ) -> str:
        """Text for a container's ``/etc/hosts``. sandbox: None without a network."""
        endpoints = sandbox.endpoints.values() if sandbox is not None else ()
        addresses = [address for held in endpoints for address in held.addresses]
        default = self._store.named(DEFAULT_NETWORK)
        return hosts.render(
            request.extra_hosts,
            hosts.own_lines(addresses, request.hostname, domainname),
            gateways=bridge_addresses(default) if default is not None else [],
            links=links,
        )

    def _sweep(self, live: Collection[str]) -> None:
        """Remove namespaces and links that belong to no living container. Blocking."""
        for pin in self._directory.glob("*"):
            if pin.name not in live:
                netns.unpin(pin)
        wanted = {
            veth_name(endpoint)
            for sandbox in self._rows.all()
            if sandbox.container_id in live
            for endpoint in sandbox.endpoints.values()
        }
        for network in self._store.all():
            for port in netlink.ports(network.bridge) if network.bridge else ():
                if port.startswith("veth") and port not in wanted:
                    with contextlib.suppress(DavitError):
                        self._links.delete(port)
