"""Whether a network may be made as it is asked for. Pure."""

from __future__ import annotations

from davit.errors import DavitError, Forbidden, InvalidParameter, NotSupported
from davit.model import ids
from davit.model.network import NetworkSpec
from davit.services.networks import macvlan, options


def check(spec: NetworkSpec) -> None:
    """Look at everything that does not depend on other networks; of a configuration, at its name.

    Raises InvalidParameter, Forbidden, NotSupported; the message begins with the network's name
    where it is about an option.
    """
    _check_name(spec.name)
    if spec.config_only:
        return
    _check_driver(spec.driver)
    if not spec.enable_ipv4 and not spec.enable_ipv6:
        raise InvalidParameter(
            f"network {spec.name}: IPv4 or IPv6 must be enabled: leave EnableIPv4 out, or set "
            "EnableIPv6"
        )
    if spec.ingress:
        raise NotSupported("ingress networks are not supported: a swarm's manager makes them")
    if spec.scope not in ("", "local"):
        raise NotSupported(f'network scope "{spec.scope}" is not supported: leave it out')
    try:
        if spec.driver == macvlan.DRIVER:
            mtu = macvlan.parse(spec.options).mtu or options.DEFAULT_MTU
        else:
            mtu = options.check(spec.options, internal=spec.internal).mtu
        _check_mtu(mtu, ipv6=spec.enable_ipv6)
    except DavitError as error:
        raise type(error)(f"network {spec.name}: {error.message}") from None


def _check_mtu(mtu: int, *, ipv6: bool) -> None:
    """Below the least that IPv6 needs (RFC 8200, 5) the kernel takes it from the link."""
    if ipv6 and mtu < options.LEAST_IPV6_MTU:
        raise InvalidParameter(
            f"invalid {options.MTU}={mtu}: IPv6 needs at least {options.LEAST_IPV6_MTU}"
        )


def _check_name(name: str) -> None:
    if not name or name != name.strip() or "/" in name or not name.isprintable():
        raise InvalidParameter(
            f"invalid network name {name!r}: a name without '/' and outer spaces is needed"
        )
    if ids.is_hex(name) and len(name) == len(ids.new_id()):
        raise InvalidParameter(f"network name {name} cannot be used: it looks like an ID")


def _check_driver(driver: str) -> None:
    if driver in ("host", "null"):
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver == "ipvlan":
        raise NotSupported('network driver "ipvlan" is not supported: use "macvlan" or "bridge"')
    if driver not in ("", "bridge", macvlan.DRIVER):
        raise NotSupported(
            f"could not find plugin {driver} in v1 plugin registry: network driver "
            f'"{driver}" is not supported; use "bridge" or "macvlan"'
        )
