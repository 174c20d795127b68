# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Ask the kernel what it can do, by doing it where nothing remains.

Each probe runs in a child process with namespaces of its own, so that what it makes vanishes with
the child. A probe that looks at module lists instead would be wrong for kernels with built-in
features, and for modules that may not be loaded.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import tempfile
from typing import Callable

# linux/sched.h
_CLONE_NEWNS = 0x00020000
_CLONE_NEWCGROUP = 0x02000000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
# linux/mount.h
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
# linux/netlink.h, linux/rtnetlink.h, linux/netfilter/nfnetlink.h, nf_tables.h
_NLM_F_REQUEST_ACK = 0x5
_NLM_F_CREATE_EXCL = 0x600
_NLMSG_ERROR = 2
_RTM_NEWLINK = 16
_IFLA_IFNAME = 3
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_NETLINK_NETFILTER = 12
_NFT_MSG_GETGEN = (10 << 8) | 16


def probe_all(data_root: str) -> dict[str, str | None]:
    """Return feature → None when it works, else the kernel's words.

    data_root: an existing directory of the file system that will hold layers; overlayfs is tried
    on it, because it does not work on every file system (not on overlayfs itself, for one).
    """
    scratch = tempfile.mkdtemp(prefix=".davit-preflight-", dir=data_root)
    try:
        return {
            "namespaces": probe(_unshare_all),
            "overlayfs": probe(lambda: _mount_overlay(scratch)),
            "bridge": probe(lambda: _create_link("bridge")),
            "veth": probe(lambda: _create_link("veth")),
            "nftables": probe(_query_nftables),
        }
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def probe(attempt: Callable[[], None]) -> str | None:
    """Run attempt in a child process; return None or the error's text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        message = b""
        try:
            attempt()
        except Exception as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = text.encode() or repr(error).encode()
        os.write(writer, message[:4096])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        answer = answers.read().decode()
    status = os.waitpid(child, 0)[1]
    if status != 0:
        return answer or "the attempt crashed"
    return answer or None


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (source.encode(), target.encode(), kind.encode(), flags, data.encode())
    if libc.mount(*arguments) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _unshare_all() -> None:
    _unshare(
        _CLONE_NEWNS
        | _CLONE_NEWCGROUP
        | _CLONE_NEWUTS
        | _CLONE_NEWIPC
        | _CLONE_NEWPID
        | _CLONE_NEWNET
    )


def _mount_overlay(scratch: str) -> None:
    _unshare(_CLONE_NEWNS)
    _mount("none", "/", "none", _MS_REC | _MS_PRIVATE, "")
    paths = {name: os.path.join(scratch, name) for name in ("lower", "upper", "work", "merged")}
    for path in paths.values():
        os.mkdir(path)
    options = f"lowerdir={paths['lower']},upperdir={paths['upper']},workdir={paths['work']}"
    _mount("overlay", paths["merged"], "overlay", 0, options)


def _create_link(kind: str) -> None:
    _unshare(_CLONE_NEWNET)
    interface = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, 0, 0)
    name = _attribute(_IFLA_IFNAME, b"davit-probe\0")
    info = _attribute(_IFLA_LINKINFO, _attribute(_IFLA_INFO_KIND, kind.encode()))
    _request(socket.NETLINK_ROUTE, _RTM_NEWLINK, _NLM_F_CREATE_EXCL, interface + name + info)


def _query_nftables() -> None:
    _unshare(_CLONE_NEWNET)
    generic = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
    _request(_NETLINK_NETFILTER, _NFT_MSG_GETGEN, 0, generic)


def _attribute(kind: int, payload: bytes) -> bytes:
    padding = b"\0" * (-len(payload) % 4)
    return struct.pack("=HH", len(payload) + 4, kind) + payload + padding


def _request(family: int, message: int, flags: int, payload: bytes) -> None:
    """Send one netlink request; raise what the kernel answers."""
    header = struct.pack("=IHHII", 16 + len(payload), message, _NLM_F_REQUEST_ACK | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as link:
        link.settimeout(10)
        link.send(header + payload)
        answer = link.recv(65536)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind == _NLMSG_ERROR:
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, os.strerror(-error))
