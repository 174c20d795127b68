"""The driver options of a bridge network, read and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

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

_PREFIX = "com.docker.network."
_KNOWN = {NAME, ICC, MASQUERADE, HOST_BINDING, MTU, PREFIX, DEFAULT_BRIDGE}

DEFAULT_MTU = 1500
# IFNAMSIZ counts a zero byte, too. The kernel takes more characters than these, nft(8) does not.
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}\Z")


@dataclass(frozen=True)
class BridgeOptions:
    """name: of the interface, empty for one made from the ID; icc: containers see each other;
    host_binding: host address of ports published without one."""

    name: str = ""
    icc: bool = True
    masquerade: bool = True
    host_binding: str = "0.0.0.0"
    mtu: int = DEFAULT_MTU


def parse(options: Mapping[str, str]) -> BridgeOptions:
    """Raises InvalidParameter; NotSupported for an option of Docker's that davit does not have.

    Options that do not begin with ``com.docker.network.`` are labels to us.
    """
    for key in options:
        if key.startswith(_PREFIX) and key not in _KNOWN:
            raise NotSupported(
                f"network option {key} is not supported; known: {', '.join(sorted(_KNOWN))}"
            )
    name = options.get(NAME, "")
    if name:
        check_interface(name, NAME)
    interface_prefix(options)
    return BridgeOptions(
        name=name,
        icc=_flag(options, ICC),
        masquerade=_flag(options, MASQUERADE),
        host_binding=_address(options, HOST_BINDING),
        mtu=mtu_of(options),
    )


def _flag(options: Mapping[str, str], key: str) -> bool:
    value = options.get(key, "true").lower()
    if value not in ("true", "1", "t", "false", "0", "f"):
        raise InvalidParameter(f"invalid {key}={value!r}: true or false is needed")
    return value in ("true", "1", "t")


def _address(options: Mapping[str, str], key: str) -> str:
    value = options.get(key) or "0.0.0.0"
    try:
        return str(IPv4Address(value))
    except AddressValueError:
        raise InvalidParameter(f"invalid {key}={value!r}: an IPv4 address is needed") from None


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
