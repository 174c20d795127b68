"""Networks: create, find, remove; the predefined ones."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

import msgspec

from davit.config import Settings
from davit.drivers import netlink
from davit.errors import Conflict, DavitError, Forbidden, InvalidParameter, NotSupported
from davit.model import ids, times
from davit.model.filters import Filters
from davit.model.network import DEFAULT_NETWORK, IPAM, IPAMPool, Network, NetworkSpec
from davit.services.networks import ipam, ipv6, macvlan, options, query
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
            unused = not network.is_predefined and not self._sandboxes.on(network)
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
        """Create a bridge network. Undoes itself.

        Raises InvalidParameter, Conflict (name or bridge taken), Forbidden (subnet overlaps),
        NotSupported (driver, IPv6 alone).
        """
        _check(spec)
        async with self._lock:
            return await finish(self._create(spec))

    async def _create(self, spec: NetworkSpec) -> Network:
        if self._networks.named(spec.name) is not None:
            raise Conflict(
                f"network with name {spec.name} already exists: remove it or choose another name"
            )
        bridge, network_id = "", ids.new_id()
        if spec.driver == macvlan.DRIVER:
            macvlan.parse(spec.options)
        else:
            bridge = options.parse(spec.options).name or f"br-{ids.short(network_id)}"
        network = Network(
            id=network_id,
            name=spec.name,
            created=times.now(),
            spec=msgspec.structs.replace(
                spec,
                driver=spec.driver or "bridge",
                scope="local",
                ipam=await self._resolve_all(spec),
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
        for name, driver in (("host", "host"), ("none", "null")):
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
        if network is not None and self._is_as_set(network):
            return
        if network is not None and self._sandboxes.on(network):
            logger.warning(
                "the default network keeps its bridge %s and subnet %s while containers run on it: "
                "stop them and restart davitd to have the new settings",
                network.bridge,
                network.spec.ipam.config[0].subnet,
            )
            return
        if network is not None:
            await self._networks.remove(network.id)
            await asyncio.to_thread(self._links.delete, network.bridge)
        await self._networks.put(
            Network(
                id=ids.new_id() if network is None else network.id,
                name=DEFAULT_NETWORK,
                created=times.now(),
                spec=await self._default_spec(),
                bridge=self._settings.default_bridge,
            )
        )

    def _is_as_set(self, network: Network) -> bool:
        """Whether the default network is what the settings ask for (which may leave it open)."""
        wished = _default_pool(self._settings)
        pool = network.spec.ipam.config[0]
        return (
            network.bridge == self._settings.default_bridge
            and (not wished or wished[0] == pool)
            and options.parse(network.spec.options).icc == self._settings.icc
        )

    async def _default_spec(self) -> NetworkSpec:
        wish = IPAM(config=_default_pool(self._settings))
        routes = await asyncio.to_thread(netlink.routes)
        bridge = self._settings.default_bridge
        return NetworkSpec(
            name=DEFAULT_NETWORK,
            driver="bridge",
            scope="local",
            ipam=self._resolve(wish, [route for route in routes if route.interface != bridge]),
            options={
                options.DEFAULT_BRIDGE: "true",
                options.ICC: str(self._settings.icc).lower(),
                options.MASQUERADE: "true",
                options.HOST_BINDING: "0.0.0.0",
                options.NAME: bridge,
                options.MTU: str(self._settings.mtu),
            },
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
        pool = network.spec.ipam.config[0]
        mac = ipam.mac_of(pool.gateway)
        mtu = options.parse(network.spec.options).mtu
        self._links.add_bridge(network.bridge, mac=mac, mtu=mtu, alias=self.alias)
        try:
            prefix = IPv4Network(pool.subnet).prefixlen
            self._links.add_address(network.bridge, pool.gateway, prefix)
            # Packets from 127.0.0.1 to a published port leave through the bridge.
            netlink.set_sysctl(f"ipv4/conf/{network.bridge}/route_localnet", "1")
            netlink.set_sysctl("ipv4/ip_forward", "1")
            if network.ipv6_pool is not None:
                self._give_ipv6(network.bridge, network.ipv6_pool)
            if network.name == DEFAULT_NETWORK and not options.parse(network.spec.options).icc:
                # What links allow between isolated ports goes through the host: it answers for all
                # (RFC 3069), and its packet filter decides.
                netlink.set_sysctl(f"ipv4/conf/{network.bridge}/proxy_arp_pvlan", "1")
                netlink.set_sysctl(f"ipv4/neigh/{network.bridge}/proxy_delay", "0")
        except BaseException:
            self._links.delete(network.bridge)
            raise

    def _give_ipv6(self, bridge: str, pool: IPAMPool) -> None:
        """Blocking."""
        for key, value in ipv6.link_sysctls(bridge).items():
            netlink.set_sysctl(key, value)
        self._links.add_address(bridge, pool.gateway, IPv6Network(pool.subnet).prefixlen)
        netlink.set_sysctl("ipv6/conf/all/forwarding", "1")

    async def _resolve_all(self, spec: NetworkSpec) -> IPAM:
        """Both families: the IPv4 pool first. Raises as create does."""
        asked = [pool for pool in spec.ipam.config if ":" in pool.subnet]
        rest = [pool for pool in spec.ipam.config if ":" not in pool.subnet]
        wish = msgspec.structs.replace(spec.ipam, config=rest)
        routes = await asyncio.to_thread(netlink.routes)
        if spec.driver == macvlan.DRIVER:
            # It is on a network of the host's: that is what it is for.
            routes = [dataclasses.replace(route, on_link=False) for route in routes]
        found = self._resolve(wish, routes)
        pool = ipv6.default_pool(self._settings.instance)
        if not spec.enable_ipv6:
            # As Docker has it: a subnet is kept and shown, and nobody gets an address of it.
            kept = [ipv6.resolve(asked, pool, {})] if asked else []
            return msgspec.structs.replace(found, config=[*found.config, *kept])
        used = {
            f"network {network.name} ({network.ipv6_pool.subnet})": IPv6Network(
                network.ipv6_pool.subnet
            )
            for network in self._networks.all()
            if network.ipv6_pool is not None
        }
        own = ipv6.resolve(asked, pool, used)
        return msgspec.structs.replace(found, config=[*found.config, own])

    def _resolve(self, wish: IPAM, routes: list[netlink.Route]) -> IPAM:
        used = {
            f"network {network.name} ({pool.subnet})": IPv4Network(pool.subnet)
            for network in self._networks.all()
            for pool in network.spec.ipam.config
            if ":" not in pool.subnet
        }
        distant: dict[str, IPv4Network] = {}
        for route in routes:
            # A subnet that is asked for may well be part of a larger network behind a gateway.
            group = used if route.on_link else distant
            name = f"the host's route to {route.destination} through {route.interface}"
            group[name] = IPv4Network(route.destination)
        return ipam.resolve(wish, self._settings.default_address_pools, used, distant)

    def _publish(self, network: Network, action: str) -> None:
        attributes = {"name": network.name, "type": network.driver}
        self._events.publish("network", action, network.id, attributes)


def _default_pool(settings: Settings) -> list[IPAMPool]:
    """What the settings say about the default network's addresses."""
    if not settings.bip:
        return []
    return [
        IPAMPool(
            subnet=str(IPv4Network(settings.bip, strict=False)),
            gateway=settings.bip.partition("/")[0],
            ip_range=settings.fixed_cidr,
        )
    ]


def _check(spec: NetworkSpec) -> None:
    name = spec.name
    if not name or name != name.strip() or "/" in name or not name.isprintable():
        raise InvalidParameter(
            f"invalid network name {name!r}: a name without '/' and outer spaces is needed"
        )
    if ids.is_hex(spec.name) and len(spec.name) == len(ids.new_id()):
        raise InvalidParameter(f"network name {spec.name} cannot be used: it looks like an ID")
    if spec.driver in ("host", "null"):
        raise Forbidden(f'only one instance of "{spec.driver}" network is allowed')
    if spec.driver == "ipvlan":
        raise NotSupported('network driver "ipvlan" is not supported: use "macvlan" or "bridge"')
    if spec.driver not in ("", "bridge", macvlan.DRIVER):
        raise NotSupported(
            f"could not find plugin {spec.driver} in v1 plugin registry: network driver "
            f'"{spec.driver}" is not supported; use "bridge" or "macvlan"'
        )
    if not spec.enable_ipv4:
        raise NotSupported("networks without IPv4 are not supported: leave EnableIPv4 out")
    if spec.config_only or spec.config_from or spec.ingress:
        raise NotSupported("config-only and ingress networks are not supported")
    if spec.scope not in ("", "local"):
        raise NotSupported(f'network scope "{spec.scope}" is not supported: leave it out')
