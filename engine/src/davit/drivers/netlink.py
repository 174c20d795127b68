"""Links, addresses and routes over rtnetlink(7): bridges and the veth pairs plugged into them.

pyroute2 knows the messages; its sockets (asyncio, a thread and 10 MB of modules) are not needed
for a handful of requests that the kernel answers at once. All calls block for about a millisecond:
run them in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from davit.errors import Conflict, NotSupported, SystemFailure
from davit.sys import rtnl

NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 19, 20, 24
NLMSG_ERROR = 2
IFA_F_NODAD = 2
IFF_UP = 1
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 3, 0, 1
MODULES = {"vlan": "8021q"}
SYSFS = Path("/sys/class/net")
SYSCTL = Path("/proc/sys/net")

_ACK = struct.Struct("=IHHIIi")


_LinkMessage, _AddressMessage, _RouteMessage = rtnl.message_classes()

Attributes = list[tuple[str, Any]]


class Links:
    """The links of the network namespace that the creating thread is in."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.bind((0, 0))
        self._lock = threading.Lock()
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_bridge(self, name: str, *, mac: str, mtu: int, alias: str) -> int:
        """Create a bridge that is up, marked with ``alias``, and return its index.

        Its MAC is fixed: a bridge without one of its own takes the lowest of its ports, and
        changes it under its containers' feet. Raises Conflict when the name is taken.
        """
        kind = {"attrs": [("IFLA_INFO_KIND", "bridge")]}
        try:
            self._request(
                _link(
                    RTM_NEWLINK,
                    [("IFLA_IFNAME", name), ("IFLA_ADDRESS", mac), ("IFLA_LINKINFO", kind)],
                    create=True,
                )
            )
        except FileExistsError:
            raise Conflict(
                f"cannot create bridge {name}: an interface of this name exists; remove it "
                f"(ip link delete {name}) or choose another name"
            ) from None
        except OSError as error:
            raise _failure(f"create bridge {name}", error) from None
        index = socket.if_nametoindex(name)
        try:
            # The MTU in a request of its own: given at creation it would not be pinned, and the
            # bridge would take the smallest MTU of its ports.
            self._request(
                _link(
                    RTM_SETLINK,
                    [("IFLA_IFALIAS", alias), ("IFLA_MTU", mtu)],
                    index=index,
                    up=True,
                )
            )
        except OSError as error:
            self.delete(name)
            raise _failure(f"set up bridge {name}", error) from None
        return index

    def add_veth(
        self,
        name: str,
        bridge: str,
        *,
        peer: str,
        peer_namespace: int,
        peer_mac: str,
        mtu: int,
        isolated: bool = False,
        hairpin: bool = False,
    ) -> None:
        """Plug a namespace into a bridge: a veth pair, the far end named ``peer``, down.

        isolated: the bridge does not forward between isolated ports; hairpin: it may send a frame
        back to the port that it came from (bridge(8)).
        """
        far = {
            "attrs": [
                ("IFLA_IFNAME", peer),
                ("IFLA_ADDRESS", peer_mac),
                ("IFLA_MTU", mtu),
                ("IFLA_NET_NS_FD", peer_namespace),
            ],
        }
        pair = {
            "attrs": [
                ("IFLA_INFO_KIND", "veth"),
                ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", far)]}),
            ]
        }
        try:
            self._request(
                _link(
                    RTM_NEWLINK,
                    [
                        ("IFLA_IFNAME", name),
                        ("IFLA_MTU", mtu),
                        ("IFLA_MASTER", socket.if_nametoindex(bridge)),
                        ("IFLA_LINKINFO", pair),
                    ],
                    create=True,
                    up=True,
                )
            )
            self._set_port(name, isolated=isolated, hairpin=hairpin)
        except OSError as error:
            self.delete(name)
            raise _failure(f"plug {peer} into bridge {bridge}", error) from None

    def add_link(
        self,
        name: str,
        kind: str,
        data: Attributes,
        *,
        parent: str = "",
        namespace: int | None = None,
        mac: str = "",
        mtu: int = 0,
    ) -> None:
        """Create a link of a kind (ip-link(8)), down. data: attributes of the kind.

        parent: the link that it lies on; namespace: descriptor of where to make it. Raises
        NotSupported when the kernel does not have the kind.
        """
        info: Attributes = [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": data})]
        attributes: Attributes = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", {"attrs": info})]
        try:
            if parent:
                attributes.append(("IFLA_LINK", socket.if_nametoindex(parent)))
            if namespace is not None:
                attributes.append(("IFLA_NET_NS_FD", namespace))
            if mac:
                attributes.append(("IFLA_ADDRESS", mac))
            if mtu:
                attributes.append(("IFLA_MTU", mtu))
            self._request(_link(RTM_NEWLINK, attributes, create=True))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise NotSupported(
                    f"cannot create {kind} interface {name}: the kernel does not have {kind}; load "
                    f"or build its module {MODULES.get(kind, kind)}"
                ) from None
            where = f" on {parent}" if parent else ""
            raise _failure(f"create {kind} interface {name}{where}", error) from None

    def mark(self, name: str, alias: str) -> None:
        """Give a link an alias."""
        try:
            index = socket.if_nametoindex(name)
            self._request(_link(RTM_SETLINK, [("IFLA_IFALIAS", alias)], index=index))
        except OSError as error:
            raise _failure(f"mark {name}", error) from None

    def plug(self, name: str, bridge: str, *, isolated: bool, hairpin: bool) -> None:
        """Plug a link into a bridge; flags as of :meth:`add_veth`."""
        try:
            master = ("IFLA_MASTER", socket.if_nametoindex(bridge))
            self._request(_link(RTM_SETLINK, [master], index=socket.if_nametoindex(name)))
            self._set_port(name, isolated=isolated, hairpin=hairpin)
        except OSError as error:
            raise _failure(f"plug {name} into bridge {bridge}", error) from None

    def _set_port(self, name: str, *, isolated: bool, hairpin: bool) -> None:
        if isolated or hairpin:
            flags = [("IFLA_BRPORT_ISOLATED", isolated), ("IFLA_BRPORT_MODE", hairpin)]
            port = {
                "attrs": [
                    ("IFLA_INFO_SLAVE_KIND", "bridge"),
                    ("IFLA_INFO_SLAVE_DATA", {"attrs": flags}),
                ]
            }
            index = socket.if_nametoindex(name)
            self._request(_link(RTM_NEWLINK, [("IFLA_LINKINFO", port)], index=index))

    def set_up(self, name: str) -> None:
        """Bring a link up that lies in the calling thread's namespace."""
        try:
            self._request(_link(RTM_SETLINK, [], index=socket.if_nametoindex(name), up=True))
        except OSError as error:
            raise _failure(f"bring up {name}", error) from None

    def add_address(self, name: str, address: str, prefix: int) -> None:
        """Give a link an address of either family. Having it already is success.

        Call it in the namespace of the link: its name is looked up there.
        """
        message = _AddressMessage()
        message["family"] = _family(address)
        message["index"] = socket.if_nametoindex(name)
        message["prefixlen"] = prefix
        message["attrs"] = [("IFA_ADDRESS", address), ("IFA_LOCAL", address)]
        if message["family"] == socket.AF_INET6:
            message["flags"] = IFA_F_NODAD
        elif prefix < 31:  # RFC 3021: two addresses leave none for broadcast
            network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
            message["attrs"].append(("IFA_BROADCAST", str(network.broadcast_address)))
        try:
            self._request(_finish(message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL))
        except FileExistsError:
            return
        except OSError as error:
            raise _failure(f"set address {address}/{prefix}", error) from None

    def set_default_route(self, gateway: str) -> None:
        """Route everything else through a gateway that an address makes reachable already."""
        message = _RouteMessage()
        message["family"] = _family(gateway)
        message["table"] = RT_TABLE_MAIN
        message["proto"] = RTPROT_BOOT
        message["scope"] = RT_SCOPE_UNIVERSE
        message["type"] = RTN_UNICAST
        message["attrs"] = [("RTA_GATEWAY", gateway)]
        try:
            self._request(_finish(message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE))
        except OSError as error:
            raise _failure(f"route through gateway {gateway}", error) from None

    def delete(self, name: str) -> None:
        """Delete a link, and with a veth its other end. Idempotent."""
        try:
            self._request(_link(RTM_DELLINK, [("IFLA_IFNAME", name)]))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise _failure(f"delete interface {name}", error) from None

    def _request(self, message: bytearray) -> None:
        """Send one request and wait for the kernel's answer. Raises OSError."""
        with self._lock:
            self._sequence += 1
            struct.pack_into("=I", message, 8, self._sequence)
            self._socket.send(message)
            while True:
                answer = self._socket.recv(65536)
                _, kind, _, sequence, _, code = _ACK.unpack_from(answer)
                if kind == NLMSG_ERROR and sequence == self._sequence:
                    break
        if code:
            raise OSError(-code, os.strerror(-code))


def exists(name: str) -> bool:
    """Whether a link is in the calling thread's namespace."""
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def bridges(alias: str) -> list[str]:
    """Names of the bridges that :meth:`Links.add_bridge` marked with ``alias``."""
    return [
        path.parent.parent.name
        for path in SYSFS.glob("*/bridge/bridge_id")
        if (path.parent.parent / "ifalias").read_text().strip() == alias
    ]


def marked(alias: str) -> list[str]:
    """Names of the links of any kind that carry ``alias``."""
    return [path.name for path in SYSFS.iterdir() if has_alias(path.name, alias)]


def has_alias(name: str, alias: str) -> bool:
    """Whether a link of the host was marked with ``alias``."""
    try:
        return (SYSFS / name / "ifalias").read_text().strip() == alias
    except OSError:
        return False


def ports(bridge: str) -> list[str]:
    """Names of the links plugged into a bridge."""
    with contextlib.suppress(FileNotFoundError):
        return os.listdir(SYSFS / bridge / "brif")
    return []


def set_sysctl(key: str, value: str) -> bool:
    """Write ``net.<key>`` (``ipv4/ip_forward``) where it differs; return whether it did.

    Raises SystemFailure.
    """
    path = SYSCTL / key
    try:
        if path.read_text().strip() == value:
            return False
        path.write_text(value)
        return True
    except OSError as error:
        raise _failure(f"set net.{key.replace('/', '.')}={value}", error) from None


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _link(
    kind: int,
    attributes: Sequence[tuple[str, Any]],
    *,
    index: int = 0,
    up: bool = False,
    create: bool = False,
) -> bytearray:
    message = _LinkMessage()
    message["index"] = index
    if up:
        message["flags"] = message["change"] = IFF_UP
    message["attrs"] = list(attributes)
    return _finish(message, kind, NLM_F_CREATE | NLM_F_EXCL if create else 0)


def _finish(message: Any, kind: int, flags: int) -> bytearray:
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    message.encode()
    data: bytearray = message.data
    return data


def _failure(what: str, error: OSError) -> SystemFailure:
    return SystemFailure(f"cannot {what}: {error.strerror or error}")
