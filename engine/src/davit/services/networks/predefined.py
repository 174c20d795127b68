"""The networks that every daemon has; the default one as the settings want it. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from davit.config import Settings
from davit.errors import InvalidParameter
from davit.model.network import DEFAULT_NETWORK, IPAM, IPAMPool, Network, NetworkSpec
from davit.services.networks import options
from davit.services.networks.addresses import DEFAULT_GATEWAYS

DRIVERS = {"host": "host", "none": "null"}
"""Of those without a bridge."""


def default_spec(settings: Settings) -> NetworkSpec:
    """The default network as far as the settings say; its subnets may be left open.

    Raises InvalidParameter: settings that contradict each other.
    """
    chosen = {
        options.DEFAULT_BRIDGE: "true",
        options.ICC: _flag(settings.icc),
        options.MASQUERADE: _flag(settings.ip_masq),
        options.HOST_BINDING: settings.ip,
        options.NAME: settings.default_bridge,
        options.MTU: str(settings.mtu),
    }
    pools = _ipv4(settings) + (_ipv6(settings) if settings.ipv6 else [])
    return NetworkSpec(
        name=DEFAULT_NETWORK,
        driver="bridge",
        scope="local",
        enable_ipv6=settings.ipv6,
        ipam=IPAM(config=pools),
        options=chosen,
    )


def is_as_set(network: Network, settings: Settings) -> bool:
    """Whether the default network is what the settings ask for."""
    wish = default_spec(settings)
    held = {":" in pool.subnet: pool for pool in network.spec.ipam.config}
    return (
        network.spec.options == wish.options
        and network.spec.enable_ipv6 == wish.enable_ipv6
        and all(_fits(held.get(":" in asked.subnet), asked) for asked in wish.ipam.config)
    )


def _fits(held: IPAMPool | None, asked: IPAMPool) -> bool:
    return held is not None and (
        (held.subnet, held.ip_range, held.auxiliary_addresses)
        == (asked.subnet, asked.ip_range, asked.auxiliary_addresses)
        and asked.gateway in ("", held.gateway)
    )


def _ipv4(settings: Settings) -> list[IPAMPool]:
    subnet = settings.bip or settings.fixed_cidr
    if not subnet:
        _refuse_alone(settings.default_gateway, "default-gateway", "bip or fixed-cidr")
        return []
    return [
        IPAMPool(
            subnet=str(IPv4Network(subnet, strict=False)),
            gateway=settings.bip.partition("/")[0],
            ip_range=settings.fixed_cidr if settings.bip else "",
            auxiliary_addresses=_router(settings.default_gateway, 4),
        )
    ]


def _ipv6(settings: Settings) -> list[IPAMPool]:
    subnet = settings.bip6 or settings.fixed_cidr_v6
    if not subnet:
        _refuse_alone(settings.default_gateway_v6, "default-gateway-v6", "bip6 or fixed-cidr-v6")
        return []
    return [
        IPAMPool(
            subnet=str(IPv6Network(subnet, strict=False)),
            gateway=settings.bip6.partition("/")[0],
            ip_range=settings.fixed_cidr_v6 if settings.bip6 else "",
            auxiliary_addresses=_router(settings.default_gateway_v6, 6),
        )
    ]


def _router(address: str, family: int) -> dict[str, str]:
    return {DEFAULT_GATEWAYS[family]: address} if address else {}


def _refuse_alone(value: str, name: str, needed: str) -> None:
    if value:
        raise InvalidParameter(f"{name} {value}: the subnet is not known; give {needed}, too")


def _flag(value: bool) -> str:
    return str(value).lower()
