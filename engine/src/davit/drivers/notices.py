"""Being told what anybody changes in the kernel's networking (netlink(7) multicast groups).

A socket that nothing arrives on costs nothing; reading never blocks. When more arrives than the
socket holds, the kernel drops it and says so: then everything may have changed.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from davit.sys.nlmsg import HEADER, NETLINK_NETFILTER, align, read_attributes

SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1

# linux/netfilter/nfnetlink.h and nf_tables.h. The first attribute of everything that belongs to a
# table is the table's name; a transaction ends with its generation.
NFNLGRP_NFTABLES = 7
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWCHAIN, NFT_MSG_NEWGEN = 3, 15
NFTA_TABLE_NAME = 1

# linux/rtnetlink.h, if_link.h and netconf.h
RTNLGRP_LINK, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF = 1, 24, 25
RTM_DELLINK, RTM_NEWNETCONF = 17, 80
IFLA_IFNAME = 3
NETCONFA_IFINDEX, NETCONFA_FORWARDING = 1, 2
NETCONFA_IFINDEX_ALL = -1

_INTEGER = struct.Struct("=i")
_NFGENMSG, _IFINFOMSG, _NETCONFMSG = 4, 16, 4  # bytes before the attributes


class TableNotices:
    """Transactions of nftables in the creating thread's network namespace."""

    def __init__(self, table: str) -> None:
        self._socket = _subscribe(NETLINK_NETFILTER, NFNLGRP_NFTABLES)
        self._table = table.encode()
        self._touched = False
        self.fileno = self._socket.fileno

    def take(self) -> TableChanges:
        """What has happened since the last call."""
        found = TableChanges()
        for kind, body in _messages(self._socket):
            if kind is None:
                found.transactions += 1
                found.host_chains = True
                continue
            if kind >> 8 != NFNL_SUBSYS_NFTABLES:
                continue
            kind &= 0xFF
            if kind == NFT_MSG_NEWGEN:
                found.transactions += self._touched
                self._touched = False
                continue
            name = read_attributes(body, _NFGENMSG).get(NFTA_TABLE_NAME, b"").rstrip(b"\0")
            self._touched |= name == self._table
            found.host_chains |= name == b"filter" and kind == NFT_MSG_NEWCHAIN
        return found

    def close(self) -> None:
        self._socket.close()


@dataclass
class TableChanges:
    """transactions: how many touched the table; host_chains: a chain of a table ``filter`` is new
    or has another policy. One more, and true, when something was lost."""

    transactions: int = 0
    host_chains: bool = False


class LinkNotices:
    """Links that went, and forwarding switched off, in the creating thread's namespace."""

    def __init__(self) -> None:
        self._socket = _subscribe(
            socket.NETLINK_ROUTE, RTNLGRP_LINK, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF
        )
        self.fileno = self._socket.fileno

    def take(self) -> LinkChanges:
        """What has happened since the last call."""
        found = LinkChanges()
        for kind, body in _messages(self._socket):
            if kind is None:
                found.lost = True
            elif kind == RTM_DELLINK:
                name = read_attributes(body, _IFINFOMSG).get(IFLA_IFNAME, b"")
                found.deleted.add(name.rstrip(b"\0").decode(errors="replace"))
            elif kind == RTM_NEWNETCONF:
                attributes = read_attributes(body, _NETCONFMSG)
                if _integer(attributes, NETCONFA_IFINDEX) == NETCONFA_IFINDEX_ALL:
                    on = _integer(attributes, NETCONFA_FORWARDING) != 0
                    change = (
                        found.stopped_forwarding.discard if on else found.stopped_forwarding.add
                    )
                    change(body[0])
        return found

    def close(self) -> None:
        self._socket.close()


@dataclass
class LinkChanges:
    """deleted: names of links; stopped_forwarding: families that are not forwarded any more, as
    ``socket`` numbers them; lost: there may be more of everything."""

    deleted: set[str] = field(default_factory=set)
    stopped_forwarding: set[int] = field(default_factory=set)
    lost: bool = False


def _subscribe(family: int, *groups: int) -> socket.socket:
    opened = socket.socket(
        socket.AF_NETLINK,
        socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
        family,
    )
    opened.bind((0, 0))
    for group in groups:
        opened.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    return opened


def _messages(source: socket.socket) -> Iterator[tuple[int | None, memoryview]]:
    """Kind and body of everything that waits; a kind of None where messages were lost."""
    while True:
        try:
            data = memoryview(source.recv(1 << 16))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None, memoryview(b"")
            continue
        while len(data) >= HEADER.size:
            length, kind, *_ = HEADER.unpack_from(data)
            if length < HEADER.size:
                break
            yield kind, data[HEADER.size : length]
            data = data[align(length) :]


def _integer(attributes: dict[int, bytes], kind: int) -> int | None:
    data = attributes.get(kind, b"")
    return _INTEGER.unpack(data)[0] if len(data) == _INTEGER.size else None
