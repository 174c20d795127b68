"""Sandboxes: a container's network namespace, plugged into its networks while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from davit.drivers import netlink
from davit.errors import (
    Conflict,
    DavitError,
    Forbidden,
    InvalidParameter,
    SystemFailure,
)
from davit.model import ids
from davit.model.config import PortBinding
from davit.model.network import EndpointSettings, JoinRequest, Network, Sandbox
from davit.services.networks import (
    addresses,
    flows,
    interfaces,
    ipam,
    ipv6,
    options,
    ports,
    resolver,
)
from davit.services.networks.finish import finish, finish_all
from davit.services.networks.names import NameServers
from davit.services.networks.packet_filter import PacketFilter
from davit.services.networks.plugs import Plugs, veth_name
from davit.services.networks.pool import NamespacePool
from davit.services.networks.relays import Relays
from davit.store.networks import NetworkStore, SandboxStore
from davit.sys import netns

logger = logging.getLogger(__name__)


class Sandboxes:
    """Prepare, join, leave; connect and disconnect."""

    def __init__(
        self,
        directory: Path,
        networks: NetworkStore,
        sandboxes: SandboxStore,
        pool: NamespacePool,
        links: netlink.Links,
        packets: PacketFilter,
        names: NameServers,
    ) -> None:
        self._directory = directory
        self._networks = networks
        self._sandboxes = sandboxes
        self._pool = pool
        self._plugs = Plugs(networks, links)
        self._packets = packets
        self._names = names
        self._ports = ports.Ports()
        self._relays = Relays(sandboxes, self._ports)
        # A socket of its own: a slow deletion does not hold up a container's start.
        self._reaper = netlink.Links()
        self._cooling: set[tuple[str, str]] = set()
        self._cleaning: dict[str, asyncio.Task[None]] = {}

    async def prepare(self, container_id: str) -> Path:
        path = self._directory / container_id
        try:
            await finish(self._pin(path))
        except BaseException:
            await asyncio.to_thread(netns.unpin, path)
            raise
        return path

    async def _pin(self, path: Path) -> None:
        namespace = await self._pool.take()
        try:
            await asyncio.to_thread(netns.pin, namespace, path)
        except OSError as error:
            raise SystemFailure(f"no network namespace: {error.strerror or error}") from None
        finally:
            os.close(namespace)

    async def join(self, request: JoinRequest) -> Sandbox:
        if request.container_id in self._cleaning:
            # It ended a moment ago. Once its address is free again it gets it back, which matters
            # to connection tracking: UDP flows to its published ports know the address.
            await asyncio.wait([self._cleaning[request.container_id]])
        # No pause from here on until the row is stored: no two joins get the same address or port.
        sandbox = self._plan(request)
        async with contextlib.AsyncExitStack() as undo:
            undo.callback(self._ports.release, sandbox.container_id)
            undo.push_async_callback(self._packets.withdraw, sandbox)
            undo.push_async_callback(self._sandboxes.remove, sandbox.container_id)
            await finish(self._sandboxes.put(sandbox))
            undo.push_async_callback(self._unplug, sandbox)
            undo.callback(self._names.close, sandbox.container_id)
            undo.callback(self._relays.close, sandbox.container_id)
            await finish_all(
                asyncio.to_thread(self._plugs.plug_all, sandbox, request.sysctls),
                self._publish(sandbox),
                self._names.open(sandbox, Path(sandbox.netns)),
                self._relays.open(sandbox.container_id),
            )
            undo.pop_all()
        return sandbox

    async def adopt(self, sandbox: Sandbox) -> None:
        """Serve a container that an earlier davitd connected. Raises Conflict: a port is taken."""
        held = ports.wishes(ports.held(sandbox.ports), families=(4, 6))
        self._ports.claim(sandbox.container_id, sandbox.name, held)
        await self._relays.open(sandbox.container_id)
        await self._names.open(sandbox, Path(sandbox.netns))

    async def leave(self, container_id: str) -> None:
        await finish(self._leave(container_id))

    async def _leave(self, container_id: str) -> None:
        sandbox = self._sandboxes.find(container_id)
        self._names.close(container_id)
        if sandbox is not None:
            self._clean_later(sandbox)
            self._relays.close(container_id)
            self._ports.release(container_id)
            await self._sandboxes.remove(container_id)
            await asyncio.to_thread(self._plugs.release, sandbox)
        await asyncio.to_thread(netns.unpin, self._directory / container_id)

    async def connect(
        self, container_id: str, network: Network, wish: EndpointSettings
    ) -> EndpointSettings:
        """Raises Forbidden (is connected already), Conflict (address, not running)."""
        sandbox = self._running(container_id)
        if network.name in sandbox.endpoints:
            raise Forbidden(
                f"endpoint with name {sandbox.name} already exists in network {network.name}: "
                "disconnect it first to change its settings"
            )
        endpoint = self._endpoint(
            network, wish, container_id=container_id, name=sandbox.name, hostname=sandbox.hostname
        )
        joined = _with_endpoints(sandbox, {**sandbox.endpoints, network.name: endpoint})
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._sandboxes.put, sandbox)
            await finish(self._sandboxes.put(joined))
            undo.push_async_callback(
                asyncio.to_thread, self._plugs.unplug, joined, network, endpoint
            )
            await finish(asyncio.to_thread(self._plugs.plug_one, joined, network, endpoint))
            await finish_all(
                self._follow(sandbox, joined), self._names.open(joined, Path(joined.netns))
            )
            undo.pop_all()
        return endpoint

    async def disconnect(self, container_id: str, network: Network) -> None:
        """Raises Forbidden when the container is not connected."""
        sandbox = self._running(container_id)
        endpoint = sandbox.endpoints.get(network.name)
        if endpoint is None:
            raise Forbidden(f"container {sandbox.name} is not connected to network {network.name}")
        rest = {name: held for name, held in sandbox.endpoints.items() if name != network.name}
        left = _with_endpoints(sandbox, rest)
        await finish(self._sandboxes.put(left))
        await finish(asyncio.to_thread(self._plugs.unplug, sandbox, network, endpoint))
        await finish(self._follow(sandbox, left))

    async def rename(self, container_id: str, name: str) -> None:
        sandbox = self._sandboxes.find(container_id)
        if sandbox is not None:
            endpoints = {
                network: msgspec.structs.replace(
                    endpoint,
                    dns_names=[name if old == sandbox.name else old for old in endpoint.dns_names],
                )
                for network, endpoint in sandbox.endpoints.items()
            }
            renamed = msgspec.structs.replace(sandbox, name=name, endpoints=endpoints)
            await self._sandboxes.put(renamed)

    def check(self, network: Network, wish: EndpointSettings) -> None:
        """Raises InvalidParameter for addresses that can never be given, Forbidden for a network
        that no container can be on."""
        if network.spec.config_only:
            raise Forbidden(
                f"cannot create endpoint on configuration-only network {network.name}: create a "
                "network that takes its configuration from it"
            )
        asked = wish.ipam_config
        for text in asked.link_local_ips if asked is not None else ():
            interfaces.link_local(text)
        if asked is not None and asked.ipv6_address:
            ipv6.check_address(network.given_ipv6_pool, asked.ipv6_address, network.name)
        if options.IFNAME in wish.driver_opts:
            options.check_interface(wish.driver_opts[options.IFNAME], options.IFNAME)
        if wish.mac_address:
            ipam.check_mac(wish.mac_address)
        if wish.aliases and not resolver.is_user_defined(network.name):
            raise InvalidParameter(
                "network-scoped aliases are only supported for user-defined networks: "
                f"network {network.name} has no names"
            )
        address = _wished_address(wish)
        if not address:
            return
        if not network.is_plugged or network.is_predefined:
            raise InvalidParameter(
                "user specified IP address is supported on user defined networks only: network "
                f"{network.name} has none to choose; create a network with a subnet"
            )
        ipam.check_address(network.ipv4_pool, address, network.name)

    async def settle(self) -> None:
        """Wait until nothing is left of what has left."""
        while self._cleaning:
            await asyncio.wait(self._cleaning.values())

    async def close(self) -> None:
        """Clean up; give the ports back."""
        await self.settle()
        self._names.close_all()
        self._relays.close_all()
        self._ports.close()
        self._reaper.close()

    def _running(self, container_id: str) -> Sandbox:
        sandbox = self._sandboxes.find(container_id)
        if sandbox is None:
            raise Conflict(f"container {ids.short(container_id)} is not running")
        return sandbox

    def _plan(self, request: JoinRequest) -> Sandbox:
        endpoints = {}
        for network_id, wish in request.endpoints.items():
            network = self._networks.get(network_id)
            endpoints[network.name] = self._endpoint(
                network,
                wish,
                container_id=request.container_id,
                name=request.name,
                hostname=request.hostname,
            )
        return Sandbox(
            container_id=request.container_id,
            name=request.name,
            hostname=request.hostname,
            netns=str(self._directory / request.container_id),
            endpoints=endpoints,
            ports=self._claim(request, endpoints),
            resolvers=request.resolvers,
            search=request.search,
            options=request.options,
            reaches=request.reaches,
        )

    def _claim(
        self, request: JoinRequest, endpoints: Mapping[str, EndpointSettings]
    ) -> dict[str, list[PortBinding]]:
        """Host ports lead to the default endpoints; without one there is nowhere to lead to."""
        chosen = {}
        routed = []
        for family, endpoint in interfaces.ways_out(endpoints).items():
            network = self._networks.get(endpoint.network_id)
            if network.bridge:
                chosen[family] = options.parse(network.spec.options)
                if chosen[family].modes[family] is options.GatewayMode.ROUTED:
                    routed.append(family)
        if not chosen:
            return {}
        wanted = ports.wishes(
            request.bindings,
            chosen[4].host_binding if 4 in chosen else ports.ANY,
            families=chosen,
            routed=[
                family
                for family in chosen
                if chosen[family].modes[family] is options.GatewayMode.ROUTED
            ],
        )
        return self._ports.claim(request.container_id, request.name, wanted)

    def _endpoint(
        self,
        network: Network,
        wish: EndpointSettings,
        *,
        container_id: str,
        name: str,
        hostname: str,
    ) -> EndpointSettings:
        if not network.is_plugged:
            return msgspec.structs.replace(wish, network_id=network.id, endpoint_id=ids.new_id())
        given = addresses.give(network, wish, self._taken(network))
        return msgspec.structs.replace(
            given,
            network_id=network.id,
            endpoint_id=ids.new_id(),
            dns_names=resolver.names_of(name, container_id, hostname, wish.aliases),
        )

    def _taken(self, network: Network) -> set[str]:
        """Addresses in use, and those of links that are being deleted."""
        used = {
            address
            for sandbox in self._sandboxes.on(network)
            for address in sandbox.endpoints[network.name].addresses
        }
        return used | {address for owner, address in self._cooling if owner == network.id}

    async def _follow(self, before: Sandbox, after: Sandbox) -> None:
        """Move the default route and the published ports to the present default endpoint."""
        if interfaces.ways_out(before.endpoints) == interfaces.ways_out(after.endpoints):
            return
        await asyncio.to_thread(self._plugs.route, after)
        if after.ports:
            await self._packets.sync()
            await flows.forget_published(after)

    async def _publish(self, sandbox: Sandbox) -> None:
        """Let in the published ports; who has sent to a UDP one before is led there, too."""
        await self._packets.publish(sandbox)
        await flows.forget_published(sandbox)

    async def _unplug(self, sandbox: Sandbox) -> None:
        for endpoint in sandbox.endpoints.values():
            await asyncio.to_thread(self._reaper.delete, veth_name(endpoint))

    def _clean_later(self, sandbox: Sandbox) -> None:
        """Take links and ports away in the background: the kernel needs 20 ms for each.

        An address is given to nobody else until its link is gone. A port may be: the packet filter
        is changed in the order in which it is asked to.
        """
        held = sandbox.endpoints.values()
        gone = {(end.network_id, address) for end in held for address in end.addresses}
        self._cooling |= gone

        async def clean() -> None:
            try:
                await self._packets.withdraw(sandbox)
                await flows.forget_gone(sandbox)
                await self._unplug(sandbox)
            except DavitError as error:
                logger.error("cannot unplug %s: %s", sandbox.name, error.message)
            finally:
                self._cooling -= gone
                del self._cleaning[sandbox.container_id]

        task = asyncio.create_task(clean())
        self._cleaning[sandbox.container_id] = task


def _wished_address(wish: EndpointSettings) -> str:
    return wish.ipam_config.ipv4_address if wish.ipam_config else ""


def _with_endpoints(sandbox: Sandbox, endpoints: dict[str, EndpointSettings]) -> Sandbox:
    return msgspec.structs.replace(sandbox, endpoints=endpoints)
