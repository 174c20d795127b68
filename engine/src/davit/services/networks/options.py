"""The driver options of a bridge network, read and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address

from davit.errors import InvalidParameter, NotSupported

NAME = "com.docker.network.bridge.name"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
MTU = "com.docker.network.driver.mtu"
PREFIX = "com.docker.network.container_iface_prefix"
DEFAULT_BRIDGE = "com.docker.network.bridge.default_bridge"

IFNAME = "com.docker.network.endpoint.ifname"
"""An option of an endpoint: the interface's name inside the container."""

INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"
GATEWAY_MODES = {
    4: "com.docker.network.bridge.gateway_mode_ipv4",
    6: "com.docker.network.bridge.gateway_mode_ipv6",
}
SOURCES = {4: "com.docker.network.host_ipv4", 6: "com.docker.network.host_ipv6"}

_LACKING = {
    "com.docker.network.bridge.trusted_host_interfaces",
    "com.docker.network.endpoint.sysctls",
}

DEFAULT_MTU, LEAST_IPV6_MTU = 1500, 1280
# IFNAMSIZ counts a zero byte, too. The kernel takes more characters than these, nft(8) does not.
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}\Z")


class GatewayMode(str, Enum):
    """How a family leaves and enters a bridge."""

    NAT = "nat"
    UNPROTECTED = "nat-unprotected"
    ROUTED = "routed"
    ISOLATED = "isolated"


@dataclass(frozen=True)
class BridgeOptions:
    """name: of the interface, empty for one made from the ID; icc: containers see each other;
    host_binding: host address of ports published without one; inhibit_ipv4: the bridge itself has
    no IPv4 address. By family, 4 and 6: modes, and sources, the addresses that masqueraded packets
    get (empty for that of the interface that they leave through)."""

    name: str = ""
    icc: bool = True
    masquerade: bool = True
    host_binding: str = "0.0.0.0"
    mtu: int = DEFAULT_MTU
    inhibit_ipv4: bool = False
    modes: Mapping[int, GatewayMode] = field(
        default_factory=lambda: dict.fromkeys(GATEWAY_MODES, GatewayMode.NAT)
    )
    sources: Mapping[int, str] = field(default_factory=lambda: dict.fromkeys(SOURCES, ""))


def parse(options: Mapping[str, str]) -> BridgeOptions:
    """Raises InvalidParameter; NotSupported for an option of Docker's that davit does not have.

    What nobody knows is a label to us, as to Docker.
    """
    for key in options:
        if key in _LACKING:
            raise NotSupported(f"network option {key} is not supported: leave it out")
    name = options.get(NAME, "")
    if name:
        check_interface(name, NAME)
    interface_prefix(options)
    return BridgeOptions(
        name=name,
        icc=_flag(options, ICC),
        masquerade=_flag(options, MASQUERADE),
        host_binding=_address(options, HOST_BINDING, 4) or "0.0.0.0",
        mtu=mtu_of(options),
        inhibit_ipv4=_flag(options, INHIBIT_IPV4, default="false"),
        modes={family: _mode(options, key) for family, key in GATEWAY_MODES.items()},
        sources={family: _address(options, key, family) for family, key in SOURCES.items()},
    )


def check(options: Mapping[str, str], *, internal: bool) -> BridgeOptions:
    """Parse those of a network that is to be made. Raises as :func:`parse`."""
    chosen = parse(options)
    for family, mode in chosen.modes.items():
        if mode is GatewayMode.ISOLATED and not internal:
            raise InvalidParameter(
                f"gateway mode 'isolated' can only be used for an internal network: give "
                f"--internal, or another {GATEWAY_MODES[family]}: nat, nat-unprotected or routed"
            )
    return chosen


def _mode(options: Mapping[str, str], key: str) -> GatewayMode:
    value = options.get(key) or GatewayMode.NAT.value
    try:
        return GatewayMode(value)
    except ValueError:
        permitted = ", ".join(mode.value for mode in GatewayMode)
        raise InvalidParameter(
            f"unknown gateway mode {key}={value!r}: one of {permitted} is needed"
        ) from None


def _flag(options: Mapping[str, str], key: str, default: str = "true") -> bool:
    value = (options.get(key) or default).lower()
    if value not in ("true", "1", "t", "false", "0", "f"):
        raise InvalidParameter(f"invalid {key}={value!r}: true or false is needed")
    return value in ("true", "1", "t")


def _address(options: Mapping[str, str], key: str, family: int) -> str:
    """The address, or an empty text when none is given."""
    value = options.get(key, "")
    if not value:
        return ""
    try:
        address = ip_address(value)
    except ValueError:
        address = None
    if address is None or address.version != family:
        raise InvalidParameter(f"invalid {key}={value!r}: an IPv{family} address is needed")
    return str(address)


def interface_prefix(options: Mapping[str, str]) -> str:
    """What the names of interfaces in containers begin with. Raises InvalidParameter."""
    prefix = options.get(PREFIX) or "eth"
    if len(prefix) > 12:
        raise InvalidParameter(
            f"invalid {PREFIX}={prefix!r}: up to 12 characters are needed, for a number follows"
        )
    return check_interface(prefix, PREFIX)


def check_interface(name: str, option: str) -> str:
    """Return the name. Raises InvalidParameter when it cannot be an interface's."""
    if not _INTERFACE.match(name) or (option == IFNAME and name == "lo"):
        raise InvalidParameter(
            f"invalid {option}={name!r}: an interface name has up to 15 letters, digits, '.', '_' "
            "and '-'; lo is taken in every container"
        )
    return name


def mtu_of(options: Mapping[str, str]) -> int:
    """Raises InvalidParameter."""
    value = options.get(MTU) or str(DEFAULT_MTU)
    if not value.isdecimal() or not 68 <= int(value) <= 65535:
        raise InvalidParameter(f"invalid {MTU}={value!r}: a number from 68 to 65535 is needed")
    return int(value)
