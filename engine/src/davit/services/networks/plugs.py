"""Plugs namespaces into networks: interfaces and their names. All calls block."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from davit.drivers import netlink
from davit.model.network import EndpointSettings, Network, Sandbox
from davit.services.networks import interfaces, macvlan, options
from davit.store.networks import NetworkStore
from davit.sys import netns


class Plugs:
    """links: of the host's namespace."""

    def __init__(self, networks: NetworkStore, links: netlink.Links) -> None:
        self._networks = networks
        self._links = links

    def plug_all(self, sandbox: Sandbox, sysctls: Mapping[str, str]) -> None:
        """Plug a fresh namespace into all networks of its container."""
        plugged: dict[str, EndpointSettings] = {}
        chosen = {
            endpoint.driver_opts[options.IFNAME]
            for endpoint in sandbox.endpoints.values()
            if options.IFNAME in endpoint.driver_opts
        }
        for name, endpoint in sandbox.endpoints.items():
            network = self._networks.get(name)
            if network.is_plugged:
                interface = _interface(network, endpoint, {*plugged, *chosen})
                self._add(sandbox, network, endpoint, interface)
                plugged[interface] = endpoint
        with netns.inside(Path(sandbox.netns)), netlink.Links() as links:
            for interface, endpoint in plugged.items():
                interfaces.configure(links, interface, endpoint)
            interfaces.set_default_route(links, sandbox)
            for key, value in sysctls.items():
                netlink.set_sysctl(key.removeprefix("net.").replace(".", "/"), value)

    def plug_one(self, sandbox: Sandbox, network: Network, endpoint: EndpointSettings) -> None:
        """Plug a namespace in use into one more network."""
        with netns.inside(Path(sandbox.netns)):
            present = {name for _, name in socket.if_nameindex()}
        interface = _interface(network, endpoint, present)
        self._add(sandbox, network, endpoint, interface)
        with netns.inside(Path(sandbox.netns)), netlink.Links() as links:
            interfaces.configure(links, interface, endpoint)

    def unplug(self, sandbox: Sandbox, network: Network, endpoint: EndpointSettings) -> None:
        """Undo :meth:`plug_one`. Idempotent."""
        if network.driver == macvlan.DRIVER:
            # It lies in the container's namespace alone, under a name that may be any.
            with netns.inside(Path(sandbox.netns)), netlink.Links() as links:
                for interface in netns.named(endpoint.mac_address):
                    links.delete(interface)
        else:
            self._links.delete(veth_name(endpoint))

    def release(self, sandbox: Sandbox) -> None:
        """Take away at once what would keep its MAC address taken while the namespace ends."""
        for name, endpoint in sandbox.endpoints.items():
            network = self._networks.get(name)
            if network.driver == macvlan.DRIVER and netns.is_pinned(Path(sandbox.netns)):
                self.unplug(sandbox, network, endpoint)

    def route(self, sandbox: Sandbox) -> None:
        """Set the default routes."""
        with netns.inside(Path(sandbox.netns)), netlink.Links() as links:
            interfaces.set_default_route(links, sandbox)

    def _add(
        self, sandbox: Sandbox, network: Network, endpoint: EndpointSettings, interface: str
    ) -> None:
        namespace = os.open(sandbox.netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if network.driver == macvlan.DRIVER:
                self._add_macvlan(network, endpoint, interface, namespace)
            else:
                self._add_veth(sandbox, network, endpoint, interface, namespace)
        finally:
            os.close(namespace)

    def _add_macvlan(
        self, network: Network, endpoint: EndpointSettings, interface: str, namespace: int
    ) -> None:
        chosen = macvlan.parse(network.spec.options)
        self._links.add_link(
            interface,
            "macvlan",
            [("IFLA_MACVLAN_MODE", chosen.mode)],
            parent=macvlan.parent_of(network),
            namespace=namespace,
            mac=endpoint.mac_address,
            mtu=chosen.mtu,
        )

    def _add_veth(
        self,
        sandbox: Sandbox,
        network: Network,
        endpoint: EndpointSettings,
        interface: str,
        namespace: int,
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
            # Where the kernel lets bridged frames through the packet filter (br_netfilter), a
            # container that calls its own published port is sent back to its own port.
            hairpin=bool(sandbox.ports),
        )


def veth_name(endpoint: EndpointSettings) -> str:
    """The host end of an endpoint's veth pair; 15 characters is what the kernel takes."""
    return f"veth{endpoint.endpoint_id[:11]}"


def _interface(network: Network, endpoint: EndpointSettings, taken: Collection[str]) -> str:
    """The name that was asked for, or the first free one of the network's prefix."""
    asked = endpoint.driver_opts.get(options.IFNAME, "")
    if asked:
        return asked
    prefix = options.interface_prefix(network.spec.options)
    return next(
        name
        for name in (f"{prefix}{number}" for number in range(len(taken) + 1))
        if name not in taken
    )
