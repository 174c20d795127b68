"""Networks, endpoints and sandboxes.

A *network* is a bridge with a subnet. An *endpoint* is a container's place on a network. A
*sandbox* is a container's network namespace with its endpoints and published ports, for as long as
the container runs.
"""

from __future__ import annotations

import hashlib

import msgspec

from davit.model.config import PortBinding, Wire


class EndpointIPAMConfig(Wire, frozen=True):
    ipv4_address: str = msgspec.field(default="", name="IPv4Address")
    ipv6_address: str = msgspec.field(default="", name="IPv6Address")
    link_local_ips: list[str] = msgspec.field(default_factory=list, name="LinkLocalIPs")


class EndpointSettings(Wire, frozen=True):
    """The API's endpoint: what was asked for, and, while the container runs, what it got."""

    ipam_config: EndpointIPAMConfig | None = msgspec.field(default=None, name="IPAMConfig")
    links: list[str] = []
    aliases: list[str] = []
    mac_address: str = ""
    driver_opts: dict[str, str] = {}
    gw_priority: int = 0
    network_id: str = msgspec.field(default="", name="NetworkID")
    endpoint_id: str = msgspec.field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = msgspec.field(default="", name="IPAddress")
    ip_prefix_len: int = msgspec.field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = msgspec.field(default="", name="IPv6Gateway")
    global_ipv6_address: str = msgspec.field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = msgspec.field(default=0, name="GlobalIPv6PrefixLen")
    dns_names: list[str] = msgspec.field(default_factory=list, name="DNSNames")

    @property
    def addresses(self) -> list[str]:
        """What it got: the IPv4 address, then the IPv6 one; empty while nothing runs."""
        return [held for held in (self.ip_address, self.global_ipv6_address) if held]


class IPAMPool(Wire, frozen=True):
    """One subnet of a network; addresses as text, ``AuxiliaryAddresses`` name → address."""

    subnet: str = ""
    ip_range: str = msgspec.field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] = {}


class IPAM(Wire, frozen=True):
    driver: str = "default"
    options: dict[str, str] = {}
    config: list[IPAMPool] = []


class ConfigReference(Wire, frozen=True):
    """Name of the network that another one takes its configuration from; empty for none."""

    network: str = ""


class NetworkSpec(Wire, frozen=True):
    """The body of ``POST /networks/create``."""

    name: str = ""
    check_duplicate: bool = False
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference = ConfigReference()
    ipam: IPAM = msgspec.field(default=IPAM(), name="IPAM")
    enable_ipv4: bool = msgspec.field(default=True, name="EnableIPv4")
    enable_ipv6: bool = msgspec.field(default=False, name="EnableIPv6")
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class ConnectRequest(Wire, frozen=True):
    """The body of ``POST /networks/{id}/connect``."""

    container: str
    endpoint_config: EndpointSettings = EndpointSettings()


class DisconnectRequest(Wire, frozen=True):
    """The body of ``POST /networks/{id}/disconnect``."""

    container: str
    force: bool = False


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network as stored.

    created: ns since the epoch. bridge: interface name, empty for drivers other than ``bridge``.
    spec.ipam.config is resolved (empty for the IPAM driver ``null``): subnets are set, gateways but
    for bridges that are isolated from the host; the IPv4 pool comes first, then the IPv6 one. That
    of a configuration for other networks (``config_only``) is as it was given.
    """

    id: str
    name: str
    created: int
    spec: NetworkSpec
    bridge: str = ""

    @property
    def driver(self) -> str:
        return self.spec.driver

    @property
    def is_plugged(self) -> bool:
        """Whether containers on it have interfaces and addresses."""
        return self.driver not in ("host", "null")

    @property
    def ipv4_pool(self) -> IPAMPool | None:
        """None when its containers have no IPv4."""
        if not self.spec.enable_ipv4:
            return None
        return next((pool for pool in self.spec.ipam.config if ":" not in pool.subnet), None)

    @property
    def ipv6_pool(self) -> IPAMPool | None:
        """None when its containers have no IPv6."""
        return self.given_ipv6_pool if self.spec.enable_ipv6 else None

    def pool(self, family: int) -> IPAMPool | None:
        """That of a family, 4 or 6."""
        return self.ipv4_pool if family == 4 else self.ipv6_pool

    @property
    def given_ipv6_pool(self) -> IPAMPool | None:
        """As it is shown; unused without ``EnableIPv6``."""
        return next((pool for pool in self.spec.ipam.config if ":" in pool.subnet), None)

    @property
    def is_predefined(self) -> bool:
        return self.name in PREDEFINED


def namespace_endpoint_id(container_id: str, network: str) -> str:
    """What stands for the endpoint of a container on ``host`` or ``none``, which have none."""
    return hashlib.sha256(f"{container_id} {network}".encode()).hexdigest()


PREDEFINED = ("bridge", "host", "none")
DEFAULT_NETWORK = "bridge"
NAMESPACE_ONLY = ("host", "none")
"""Networks without endpoints: the host's own namespace, and an empty one."""


class JoinRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a starting container wants of the network.

    endpoints: network ID → wish; bindings: ``80/tcp`` → host sides (an empty ``host_port`` asks for
    a free one); exposed: ports of ``publish_all`` included already by the caller in ``bindings``.
    resolvers/search/options: the container's own DNS settings, empty for the daemon's.
    reaches: containers that it links to on the default network, ID → ports (``80/tcp``).
    """

    container_id: str
    name: str
    hostname: str
    endpoints: dict[str, EndpointSettings]
    bindings: dict[str, list[PortBinding]] = {}
    resolvers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    extra_hosts: list[str] = []
    sysctls: dict[str, str] = {}
    reaches: dict[str, list[str]] = {}


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A joined network namespace, as stored while its container runs.

    endpoints: network *name* → endpoint with its addresses; ports: ``80/tcp`` → real host sides;
    reaches: as in the request.
    """

    container_id: str
    name: str
    hostname: str
    netns: str
    endpoints: dict[str, EndpointSettings] = {}
    ports: dict[str, list[PortBinding]] = {}
    resolvers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    reaches: dict[str, list[str]] = {}
