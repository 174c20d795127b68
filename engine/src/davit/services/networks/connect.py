"""Sandboxes: a container's network namespace, plugged into its networks while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

import msgspec

from davit.drivers import netlink
from davit.model import ids
from davit.model.network import EndpointSettings, JoinRequest, Network, Sandbox
from davit.services.networks import ipam, options
from davit.services.networks.pool import NamespacePool
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
    ) -> None:
        self._directory = directory
        self._networks = networks
        self._sandboxes = sandboxes
        self._pool = pool
        self._links = links
        # A socket of its own: a slow deletion does not hold up a container's start.
        self._reaper = netlink.Links()
        self._namespaces: dict[str, int] = {}
        # Addresses of veths that are being deleted: (network ID, address).
        self._cooling: set[tuple[str, str]] = set()
        self._cleaning: set[asyncio.Task[None]] = set()

    async def prepare(self, container_id: str) -> Path:
        path = self._directory / container_id
        namespace = await self._pool.take()
        try:
            await asyncio.to_thread(netns.pin, namespace, path)
        except BaseException:
            os.close(namespace)
            raise
        self._namespaces[container_id] = namespace
        return path

    async def join(self, request: JoinRequest) -> Sandbox:
        """Addresses are taken before the first ``await``, so two joins never get the same."""
        sandbox = Sandbox(
            container_id=request.container_id,
            name=request.name,
            hostname=request.hostname,
            netns=str(self._directory / request.container_id),
            endpoints=self._allocate(request),
            resolvers=request.resolvers,
            search=request.search,
            options=request.options,
        )
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._sandboxes.remove, request.container_id)
            await self._sandboxes.put(sandbox)
            undo.callback(self._unplug, list(sandbox.endpoints.values()))
            await asyncio.to_thread(self._plug_all, sandbox, request.sysctls)
            undo.pop_all()
        return sandbox

    async def leave(self, container_id: str) -> None:
        sandbox = self._sandboxes.find(container_id)
        namespace = self._namespaces.pop(container_id, None)
        if namespace is not None:
            os.close(namespace)
        await asyncio.to_thread(netns.unpin, self._directory / container_id)
        if sandbox is not None:
            self._unplug(list(sandbox.endpoints.values()))
            await self._sandboxes.remove(container_id)

    async def settle(self) -> None:
        """Wait until what ``leave`` and ``disconnect`` left to be cleaned is gone."""
        while self._cleaning:
            await asyncio.wait(self._cleaning)

    def _allocate(self, request: JoinRequest) -> dict[str, EndpointSettings]:
        endpoints = {}
        for network_id, wish in request.endpoints.items():
            network = self._networks.get(network_id)
            endpoints[network.name] = self._endpoint(network, wish, request)
        return endpoints

    def _endpoint(
        self, network: Network, wish: EndpointSettings, request: JoinRequest
    ) -> EndpointSettings:
        pool = network.spec.ipam.config[0]
        wished = wish.ipam_config.ipv4_address if wish.ipam_config else ""
        address = ipam.allocate(pool, self._taken(network), wished, network.name)
        own_names = [request.name, *wish.aliases, ids.short(request.container_id)]
        return msgspec.structs.replace(
            wish,
            network_id=network.id,
            endpoint_id=ids.new_id(),
            gateway="" if network.spec.internal else pool.gateway,
            ip_address=address,
            ip_prefix_len=IPv4Network(pool.subnet).prefixlen,
            mac_address=wish.mac_address or ipam.mac_of(address),
            dns_names=list(dict.fromkeys([*own_names, request.hostname])),
        )

    def _taken(self, network: Network) -> set[str]:
        used = {
            sandbox.endpoints[network.name].ip_address for sandbox in self._sandboxes.on(network)
        }
        return used | {address for owner, address in self._cooling if owner == network.id}

    def _plug_all(self, sandbox: Sandbox, sysctls: Mapping[str, str]) -> None:
        """Blocking."""
        namespace = self._namespaces[sandbox.container_id]
        interfaces = {}
        for number, (name, endpoint) in enumerate(sandbox.endpoints.items()):
            interfaces[f"eth{number}"] = endpoint
            self._add_veth(self._networks.get(name), endpoint, namespace, f"eth{number}")
        default = ipam.default_endpoint(sandbox.endpoints)
        with netns.inside(namespace), netlink.Links() as links:
            for interface, endpoint in interfaces.items():
                links.add_address(interface, endpoint.ip_address, endpoint.ip_prefix_len)
                links.set_up(interface)
            if default is not None:
                links.add_default_route(default.gateway)
            for key, value in sysctls.items():
                netlink.set_sysctl(key.removeprefix("net.").replace(".", "/"), value)

    def _add_veth(
        self, network: Network, endpoint: EndpointSettings, namespace: int, interface: str
    ) -> None:
        chosen = options.parse(network.spec.options)
        self._links.add_veth(
            veth_name(endpoint),
            network.bridge,
            peer=interface,
            peer_namespace=namespace,
            peer_mac=endpoint.mac_address,
            mtu=chosen.mtu,
            isolated=not chosen.icc,
        )

    def _unplug(self, endpoints: list[EndpointSettings]) -> None:
        """Delete the endpoints' links in the background (the kernel takes 20 ms for each).

        An address is given to nobody else until its link is gone.
        """
        gone = {(endpoint.network_id, endpoint.ip_address) for endpoint in endpoints}
        self._cooling |= gone

        async def delete() -> None:
            try:
                for endpoint in endpoints:
                    await asyncio.to_thread(self._reaper.delete, veth_name(endpoint))
            finally:
                self._cooling -= gone

        task = asyncio.create_task(delete())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)


def veth_name(endpoint: EndpointSettings) -> str:
    """The host end of an endpoint's veth pair; 15 characters is what the kernel takes."""
    return f"veth{endpoint.endpoint_id[:11]}"
