"""Networks: create, find, remove; the predefined ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

import msgspec

from davit.config import Settings
from davit.drivers import host_routes, netlink
from davit.errors import Conflict, DavitError, Forbidden
from davit.model import ids, times
from davit.model.filters import Filters
from davit.model.network import DEFAULT_NETWORK, IPAM, Network, NetworkSpec
from davit.services.networks import (
    bridges,
    configs,
    ipv6,
    macvlan,
    options,
    predefined,
    query,
    subnets,
    wishes,
)
from davit.services.networks.finish import finish
from davit.store.networks import NetworkStore, SandboxStore

logger = logging.getLogger(__name__)


class Firewall(Protocol):
    async def sync(self) -> None:
        """Make the packet filter agree with the networks and sandboxes."""
        ...


class Events(Protocol):
    def publish(
        self, kind: str, action: str, actor_id: str, attributes: dict[str, str], /
    ) -> None: ...


class Networks:
    """The networks of this daemon and their bridges."""

    def __init__(
        self,
        settings: Settings,
        networks: NetworkStore,
        sandboxes: SandboxStore,
        links: netlink.Links,
        firewall: Firewall,
        events: Events,
    ) -> None:
        self._settings = settings
        self._networks = networks
        self._sandboxes = sandboxes
        self._links = links
        self._firewall = firewall
        self._events = events
        self._lock = asyncio.Lock()
        self._parents = macvlan.Parents(links, self.alias)

    @property
    def alias(self) -> str:
        """What marks a bridge of this daemon (``ip link show``)."""
        return f"davit {self._settings.instance}"

    def select(self, filters: Filters) -> list[Network]:
        """Networks that the filters accept. Raises InvalidParameter."""
        return [
            network
            for network in self._networks.all()
            if query.accepts(filters, network, in_use=bool(self._sandboxes.on(network)))
        ]

    async def prune(self, filters: Filters) -> list[str]:
        """Remove the user-defined networks that no running container is on; return their names."""
        filters.until()  # A bad one is refused whether or not there is a network.
        removed = []
        for network in self._networks.all():
            kept = network.is_predefined or network.spec.config_only
            unused = not kept and not self._sandboxes.on(network)
            if not unused or not query.may_prune(filters, network):
                continue
            try:
                await self.remove(network.id)
            except DavitError as error:
                logger.info("prune leaves network %s: %s", network.name, error.message)
                continue
            removed.append(network.name)
        self._events.publish("network", "prune", "", {"reclaimed": "0"})
        return removed

    async def create(self, spec: NetworkSpec) -> Network:
        """Create a network. Undoes itself.

        Raises InvalidParameter, Conflict (name or bridge taken), Forbidden (subnet overlaps),
        NotSupported (driver, option).
        """
        configs.check(spec)
        wishes.check(spec)
        async with self._lock:
            if self._networks.named(spec.name) is not None:
                raise Conflict(
                    f"network with name {spec.name} already exists: remove it or choose another "
                    "name"
                )
            if spec.config_only:
                return await finish(self._keep(configs.kept(spec)))
            if spec.config_from.network:
                spec = configs.applied(spec, self._networks.named(spec.config_from.network))
                wishes.check(spec)
            return await finish(self._create(spec))

    async def _keep(self, spec: NetworkSpec) -> Network:
        """Store what has nothing in the kernel."""
        made = Network(id=ids.new_id(), name=spec.name, created=times.now(), spec=spec)
        await self._networks.put(made)
        self._publish(made, "create")
        return made

    async def _create(self, spec: NetworkSpec) -> Network:
        bridge, network_id = "", ids.new_id()
        if spec.driver != macvlan.DRIVER:
            bridge = options.parse(spec.options).name or f"br-{ids.short(network_id)}"
        network = Network(
            id=network_id,
            name=spec.name,
            created=times.now(),
            spec=msgspec.structs.replace(
                spec,
                driver=spec.driver or "bridge",
                scope="local",
                ipam=await self._subnets(spec),
            ),
            bridge=bridge,
        )
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._networks.remove, network_id)
            await self._networks.put(network)
            await asyncio.to_thread(self._make, network)
            undo.push_async_callback(asyncio.to_thread, self._unmake, network)
            await self._firewall.sync()
            undo.pop_all()
        self._publish(network, "create")
        return network

    async def remove(self, reference: str) -> None:
        """Raises NotFound, Forbidden (predefined, or containers are connected)."""
        async with self._lock:
            await finish(self._remove(reference))

    async def _remove(self, reference: str) -> None:
        network = self._networks.get(reference)
        if network.is_predefined:
            raise Forbidden(
                f"{network.name} is a pre-defined network and cannot be removed: it belongs to "
                "the daemon"
            )
        configs.check_unused(network, self._networks.all())
        users = sorted(sandbox.name for sandbox in self._sandboxes.on(network))
        if users:
            raise Forbidden(
                f"error while removing network: network {network.name} id {network.id} has active "
                f"endpoints: {', '.join(users)}; disconnect or stop these containers first"
            )
        await self._networks.remove(network.id)
        await asyncio.to_thread(self._unmake, network)
        await self._firewall.sync()
        self._publish(network, "destroy")

    async def ensure_predefined(self) -> None:
        """Make ``host``, ``none`` and the default bridge as the settings want them."""
        for name, driver in predefined.DRIVERS.items():
            if self._networks.named(name) is None:
                spec = NetworkSpec(name=name, driver=driver, scope="local")
                await self._networks.put(
                    Network(id=ids.new_id(), name=name, created=times.now(), spec=spec)
                )
        await self._ensure_default_bridge()

    async def ensure_bridges(self) -> None:
        """Make what a reboot took, bridges and parents; delete what no network wants."""
        wanted = {network.bridge: network for network in self._networks.all() if network.bridge}
        parents = [
            macvlan.parent_of(network)
            for network in self._networks.all()
            if network.driver == macvlan.DRIVER
        ]
        for link in await asyncio.to_thread(netlink.marked, self.alias):
            if link not in wanted and link not in parents:
                await asyncio.to_thread(self._links.delete, link)
        for bridge, network in wanted.items():
            if not await asyncio.to_thread(netlink.exists, bridge):
                await asyncio.to_thread(self._make_bridge, network)
        for network in self._networks.all():
            if network.driver == macvlan.DRIVER:
                try:
                    await asyncio.to_thread(self._parents.make, network)
                except DavitError as error:
                    logger.error("network %s: %s", network.name, error.message)

    async def mend_bridges(self) -> list[Network]:
        """Make the bridges again that are missing; return their networks."""
        async with self._lock:
            mended = []
            for network in self._networks.all():
                if network.bridge and not await asyncio.to_thread(netlink.exists, network.bridge):
                    await finish(asyncio.to_thread(self._make_bridge, network))
                    mended.append(network)
            return mended

    async def _ensure_default_bridge(self) -> None:
        network = self._networks.named(DEFAULT_NETWORK)
        if self._settings.bridge == "none":
            if network is not None:
                await self._networks.remove(network.id)
            return
        if network is not None and predefined.is_as_set(network, self._settings):
            return
        if network is not None and self._sandboxes.on(network):
            logger.warning(
                "the default network keeps its bridge %s and subnets %s while containers run on "
                "it: stop them and restart davitd to have the new settings",
                network.bridge,
                ", ".join(pool.subnet for pool in network.spec.ipam.config),
            )
            return
        spec = predefined.default_spec(self._settings)
        found = await self._subnets(spec)
        if network is not None:
            await self._networks.remove(network.id)
            await asyncio.to_thread(self._links.delete, network.bridge)
        await self._networks.put(
            Network(
                id=ids.new_id() if network is None else network.id,
                name=DEFAULT_NETWORK,
                created=times.now(),
                spec=msgspec.structs.replace(spec, ipam=found),
                bridge=self._settings.default_bridge,
            )
        )

    def _make(self, network: Network) -> None:
        """Make what a network has on the host. Blocking."""
        if network.driver == macvlan.DRIVER:
            self._parents.make(network)
        else:
            self._make_bridge(network)

    def _unmake(self, network: Network) -> None:
        """Undo :meth:`_make`. Blocking."""
        if network.driver == macvlan.DRIVER:
            self._parents.unmake(network, self._networks.all())
        else:
            self._links.delete(network.bridge)

    def _make_bridge(self, network: Network) -> None:
        """Blocking. Undoes itself."""
        bridges.make(self._links, network, self.alias)

    async def _subnets(self, spec: NetworkSpec) -> IPAM:
        """Both families. Raises as create does."""
        own = [spec.options.get(options.NAME)]
        routes = await asyncio.to_thread(host_routes.read)
        return subnets.resolve(
            spec,
            [network for network in self._networks.all() if network.name != spec.name],
            [route for route in routes if route.interface not in own],
            self._settings.default_address_pools,
            ipv6.default_pool(self._settings.instance),
        )

    def _publish(self, network: Network, action: str) -> None:
        attributes = {"name": network.name, "type": network.driver}
        self._events.publish("network", action, network.id, attributes)
