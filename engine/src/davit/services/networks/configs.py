"""Networks that only hold a configuration, and others that take theirs from one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from davit.errors import Forbidden, InvalidParameter, NotFound
from davit.model.network import IPAM, Network, NetworkSpec


def check(spec: NetworkSpec) -> None:
    """Raises Forbidden for what cannot be together, InvalidParameter."""
    if spec.config_only and spec.config_from.network:
        raise InvalidParameter(
            f"network {spec.name}: a configuration network cannot take its configuration from "
            f"another one, {spec.config_from.network}"
        )
    if spec.config_only and (spec.ingress or spec.internal or spec.attachable or spec.scope):
        raise Forbidden(
            f"network {spec.name}: configuration network can only contain network specific fields. "
            "Network operator fields like [ ingress | internal | attachable | scope ] are not "
            "supported: give them to the network that uses it"
        )
    if not spec.config_from.network:
        return
    if spec.options:
        raise Forbidden(
            f"network {spec.name}: network driver options are not supported if the network depends "
            "on a configuration network: give them to that one"
        )
    if spec.ipam.config or spec.ipam.options or spec.enable_ipv6 or spec.labels:
        raise Forbidden(
            f"network {spec.name}: user specified configurations are not supported if the network "
            "depends on a configuration network: give them to that one"
        )


def kept(spec: NetworkSpec) -> NetworkSpec:
    """A configuration as it is stored: no driver serves it."""
    return msgspec.structs.replace(
        spec,
        driver="null",
        scope="local",
        ipam=IPAM(driver="default", options=spec.ipam.options, config=spec.ipam.config),
    )


def applied(spec: NetworkSpec, config: Network | None) -> NetworkSpec:
    """A network's wish with what its configuration says. Raises NotFound, Forbidden."""
    name = spec.config_from.network
    if config is None:
        raise NotFound(f"configuration network {name} not found: create it with --config-only")
    if not config.spec.config_only:
        raise Forbidden(f"{name} is not a configuration network: create one with --config-only")
    return msgspec.structs.replace(
        spec,
        ipam=config.spec.ipam,
        options=config.spec.options,
        labels=config.spec.labels,
        enable_ipv4=config.spec.enable_ipv4,
        enable_ipv6=config.spec.enable_ipv6,
    )


def check_unused(network: Network, networks: Iterable[Network]) -> None:
    """Raises Forbidden when other networks have their configuration from this one."""
    users = [other.name for other in networks if other.spec.config_from.network == network.name]
    if network.spec.config_only and users:
        raise Forbidden(
            f'configuration network "{network.name}" is in use: remove {", ".join(users)} first'
        )
