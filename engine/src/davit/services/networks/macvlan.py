"""The driver ``macvlan``: containers as machines of their own on a network that the host is on.

Each has an interface with a MAC address of its own on top of one of the host's, its *parent*. The
host's packet filter does not see their traffic, and the host itself does not reach them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from davit.drivers import netlink
from davit.errors import InvalidParameter, NotFound
from davit.model import ids
from davit.model.network import Network
from davit.services.networks import options as bridges

DRIVER = "macvlan"
PARENT = "parent"
MODE = "macvlan_mode"

# linux/if_link.h, enum macvlan_mode
MODES = ("bridge", "passthru", "private", "vepa")
_KNOWN = {PARENT, MODE, bridges.MTU}
_VLAN = re.compile(r"(?P<under>.+)\.(?P<number>[1-9]\d{0,3})\Z")


@dataclass(frozen=True)
class MacvlanOptions:
    """parent: empty for a network that leads nowhere; mtu: 0 for the parent's."""

    parent: str = ""
    mode: str = "bridge"
    mtu: int = 0


def parse(options: Mapping[str, str]) -> MacvlanOptions:
    """Raises InvalidParameter, also for an option that macvlan does not have."""
    for key in options:
        if key not in _KNOWN and not key.startswith("com.docker.network."):
            raise InvalidParameter(
                f"invalid macvlan option {key}: known are {', '.join(sorted(_KNOWN))}"
            )
    mode = options.get(MODE) or "bridge"
    if mode not in MODES:
        raise InvalidParameter(
            f"requested macvlan mode '{mode}' is not valid, 'bridge' mode is the macvlan driver "
            f"default: choose one of {', '.join(MODES)}"
        )
    parent = options.get(PARENT, "")
    if parent:
        bridges.check_interface(parent, PARENT)
    mtu = bridges.mtu_of(options) if bridges.MTU in options else 0
    return MacvlanOptions(parent, mode, mtu)


def parent_of(network: Network) -> str:
    """Name of the interface that a network's lie on."""
    return parse(network.spec.options).parent or f"dm-{ids.short(network.id)}"


class Parents:
    """Makes the parents that are not there, and takes those away again.

    alias: marks the interfaces that this daemon has made. All calls block.
    """

    def __init__(self, links: netlink.Links, alias: str) -> None:
        self._links = links
        self._alias = alias

    def make(self, network: Network) -> None:
        """Raises NotFound: no such parent; NotSupported: the kernel does not have VLANs."""
        parent = parent_of(network)
        if netlink.exists(parent):
            return
        vlan = _VLAN.match(parent)
        if not parse(network.spec.options).parent:
            # A pair of its own, not a "dummy": every kernel that runs containers has veth.
            far = f"dp-{ids.short(network.id)}"
            peer = {"attrs": [("IFLA_IFNAME", far)]}
            self._add(parent, "veth", [("VETH_INFO_PEER", peer)])
            self._links.set_up(far)
        elif vlan and int(vlan["number"]) < 4095 and netlink.exists(vlan["under"]):
            number = int(vlan["number"])
            self._add(parent, "vlan", [("IFLA_VLAN_ID", number)], under=vlan["under"])
        else:
            raise NotFound(
                f"-o parent={parent}: the host has no interface of this name, nor one to make it "
                "on as NAME.VLAN; look at `ip link`"
            )

    def _add(self, name: str, kind: str, data: netlink.Attributes, under: str = "") -> None:
        self._links.add_link(name, kind, data, parent=under)
        try:
            self._links.mark(name, self._alias)
            self._links.set_up(name)
        except BaseException:
            self._links.delete(name)
            raise

    def unmake(self, network: Network, others: Iterable[Network]) -> None:
        """Delete a network's parent if it was made for it and no other network has it."""
        parent = parent_of(network)
        shared = any(
            other.driver == DRIVER and other.id != network.id and parent_of(other) == parent
            for other in others
        )
        if not shared and netlink.has_alias(parent, self._alias):
            self._links.delete(parent)
