"""Forgetting flows: entries of the kernel's connection tracking, over nfnetlink.

A client of a UDP port that goes on sending keeps its entry alive for ever, and with it the
translation that was right when the flow began (linux/netfilter/nfnetlink_conntrack.h). TCP needs
none of this: a new connection is a new flow.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from davit.errors import SystemFailure
from davit.sys.nlmsg import (
    HEADER,
    NETLINK_NETFILTER,
    NLA_F_NESTED,
    align,
    attribute,
    nested,
    read_attributes,
)

NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1, 2
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ID, CTA_ZONE = 1, 2, 12, 18
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST = 1, 2, 3, 4
CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 3
CTA_FILTER, CTA_FILTER_ORIG_FLAGS = 25, 1
CTA_FILTER_PROTO_NUM = 1 << 2

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3

_NFGENMSG = struct.Struct("=BBH")
_INTEGER = struct.Struct("=i")


@dataclass(frozen=True)
class Flow:
    """One entry. sources: of both directions, packed; destination, port: what the first packet was
    sent to; key: the attributes by which the kernel finds the entry."""

    sources: tuple[bytes, bytes]
    destination: bytes
    port: int
    key: bytes


def forget_udp(addresses: Collection[str] = (), ports: Collection[int] = ()) -> int:
    """Delete the UDP flows from or to one of the addresses, as they were or as they were
    translated, and those to one of the ports; return how many. Blocking.

    In the calling thread's network namespace. Raises SystemFailure.
    """
    packed = {ip_address(address).packed for address in addresses}
    families = {4: socket.AF_INET, 16: socket.AF_INET6}
    wanted = (socket.AF_INET, socket.AF_INET6) if ports else {families[len(one)] for one in packed}
    count = 0
    try:
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
        ) as opened:
            opened.bind((0, 0))
            for family in wanted:
                for flow in list(_flows(opened, family)):
                    if flow.port in ports or packed & {*flow.sources, flow.destination}:
                        count += _delete(opened, family, flow)
    except OSError as error:
        raise SystemFailure(f"cannot forget UDP flows: {error.strerror or error}") from None
    return count


def _flows(opened: socket.socket, family: int) -> Iterator[Flow]:
    """The UDP entries of a family. Kernels that cannot choose (before 5.8) tell all."""
    number = attribute(CTA_PROTO_NUM, bytes([socket.IPPROTO_UDP]))
    body = nested(CTA_TUPLE_ORIG, nested(CTA_TUPLE_PROTO, number))
    body += nested(
        CTA_FILTER,
        attribute(CTA_FILTER_ORIG_FLAGS, _INTEGER.pack(CTA_FILTER_PROTO_NUM)),
    )
    _send(opened, family, IPCTNL_MSG_CT_GET, NLM_F_DUMP, body)
    for kind, answer in _answers(opened):
        if kind == NLMSG_DONE:
            return
        if kind == NLMSG_ERROR:
            _raise(answer)
            return
        flow = _read(answer)
        if flow is not None:
            yield flow


def _read(answer: memoryview) -> Flow | None:
    """None for what is not UDP."""
    found = read_attributes(answer, _NFGENMSG.size)
    orig, reply = (_parts(found.get(kind, b"")) for kind in (CTA_TUPLE_ORIG, CTA_TUPLE_REPLY))
    if orig is None or reply is None:
        return None
    key = b"".join(
        attribute(kind | (NLA_F_NESTED if kind == CTA_TUPLE_ORIG else 0), found[kind])
        for kind in (CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE)
        if kind in found
    )
    return Flow((orig[0], reply[0]), orig[1], orig[2], key)


def _parts(tuple_: bytes) -> tuple[bytes, bytes, int] | None:
    """Source, destination and destination port of one direction."""
    held = read_attributes(tuple_)
    ends = read_attributes(held.get(CTA_TUPLE_IP, b""))
    proto = read_attributes(held.get(CTA_TUPLE_PROTO, b""))
    if proto.get(CTA_PROTO_NUM) != bytes([socket.IPPROTO_UDP]):
        return None
    source = ends.get(CTA_IP_V4_SRC) or ends.get(CTA_IP_V6_SRC, b"")
    destination = ends.get(CTA_IP_V4_DST) or ends.get(CTA_IP_V6_DST, b"")
    return source, destination, int.from_bytes(proto.get(CTA_PROTO_DST_PORT, b""), "big")


def _delete(opened: socket.socket, family: int, flow: Flow) -> bool:
    """Return whether it was still there."""
    _send(opened, family, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow.key)
    for kind, answer in _answers(opened):
        if kind == NLMSG_ERROR:
            try:
                _raise(answer)
            except FileNotFoundError:
                return False
            return True
    return False


def _raise(answer: memoryview) -> None:
    """Raise what the kernel answers, nothing when it says yes."""
    code = -_INTEGER.unpack_from(answer)[0]
    if code:
        raise OSError(code, os.strerror(code))


def _send(opened: socket.socket, family: int, kind: int, flags: int, body: bytes) -> None:
    header = HEADER.pack(
        HEADER.size + _NFGENMSG.size + len(body),
        NFNL_SUBSYS_CTNETLINK << 8 | kind,
        NLM_F_REQUEST | flags,
        0,
        0,
    )
    opened.send(header + _NFGENMSG.pack(family, 0, 0) + body)


def _answers(opened: socket.socket) -> Iterator[tuple[int, memoryview]]:
    """Kind and body of the messages that answer a request; the caller knows the last one."""
    while True:
        data = memoryview(opened.recv(1 << 16))
        while len(data) >= HEADER.size:
            length, kind, *_ = HEADER.unpack_from(data)
            if length < HEADER.size:
                raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
            yield kind, data[HEADER.size : length]
            data = data[align(length) :]
