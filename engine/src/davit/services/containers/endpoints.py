"""Pure: which networks a container is on, from ``NetworkMode`` and ``NetworkingConfig``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from davit.errors import InvalidParameter
from davit.model.config import ContainerConfig, HostConfig
from davit.model.network import (
    DEFAULT_NETWORK,
    NAMESPACE_ONLY,
    EndpointIPAMConfig,
    EndpointSettings,
    Network,
)


def plan(
    config: ContainerConfig,
    host: HostConfig,
    asked: Mapping[str, EndpointSettings],
    resolve: Callable[[str], Network],
) -> dict[str, EndpointSettings]:
    """Return network name → wish. host: with its mode normalised.

    Raises InvalidParameter, NotFound.
    """
    mode = host.network_mode
    if mode.startswith("container:"):
        if asked:
            raise InvalidParameter(
                "conflicting options: cannot attach both user-defined and non-user-defined "
                "network-modes"
            )
        return {}
    if config.network_disabled:
        return {}
    main = resolve(mode).name
    wishes: dict[str, EndpointSettings] = {}
    for reference, wish in asked.items():
        name = main if reference == "default" else resolve(reference).name
        wishes[name] = wish_of(wish)
    if main in NAMESPACE_ONLY:
        others = [name for name in wishes if name != main]
        if others:
            raise InvalidParameter(
                f"conflicting options: a container on network '{main}' cannot be on "
                f"{', '.join(others)}, too"
            )
        if main in wishes and wishes[main].ipam_config not in (None, EndpointIPAMConfig()):
            raise InvalidParameter(
                "user specified IP address is supported on user defined networks only: network "
                f"'{main}' has none to give"
            )
        return {main: EndpointSettings()}
    if main != DEFAULT_NETWORK or not wishes:
        wishes = {main: wishes.pop(main, EndpointSettings()), **wishes}
    if host.links and main != DEFAULT_NETWORK and main in wishes and not wishes[main].links:
        wishes[main] = msgspec.structs.replace(wishes[main], links=host.links)
    if config.mac_address and main in wishes:
        named = wishes[main].mac_address
        if named and named != config.mac_address:
            raise InvalidParameter(
                "conflicting MAC address: Config.MacAddress is "
                f"{config.mac_address}, the endpoint's is {named}"
            )
        wishes[main] = msgspec.structs.replace(wishes[main], mac_address=config.mac_address)
    return wishes


def mode_of(host: HostConfig) -> str:
    """``NetworkMode`` with its default filled in."""
    return DEFAULT_NETWORK if host.network_mode in ("", "default") else host.network_mode


def wish_of(asked: EndpointSettings) -> EndpointSettings:
    """Only what can be wished: a client may send back what ``inspect`` showed it."""
    return EndpointSettings(
        ipam_config=asked.ipam_config,
        links=asked.links,
        aliases=asked.aliases,
        mac_address=asked.mac_address,
        driver_opts=asked.driver_opts,
        gw_priority=asked.gw_priority,
    )
