"""Network namespaces: make, pin to a path, work inside.

The calling *thread* changes namespaces, never the process; every function here returns with the
thread back where it was. See namespaces(7), network_namespaces(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
SIOCSIFFLAGS = 0x8914
SIOCGIFHWADDR = 0x8927
IFF_UP = 1

_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def create() -> int:
    """Return a descriptor of a fresh namespace, prepared."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(CLONE_NEWNET), "unshare a network namespace")
        try:
            prepare()
            return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _enter(home)
    finally:
        os.close(home)


def prepare() -> None:
    """Bring the loopback of the present namespace up.

    New interfaces in it have no IPv6 until a network with IPv6 asks for it: a link-local address
    would only add duplicate address detection and router solicitations to each start.
    """
    _set_up("lo")
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        _write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")


def pin(namespace: int, path: Path) -> None:
    """Keep a namespace alive, and reachable by others, at ``path`` (a bind mount)."""
    path.touch(mode=0o444, exist_ok=True)
    source = f"/proc/self/fd/{namespace}".encode()
    _check(_libc.mount(source, os.fsencode(path), None, MS_BIND, None), f"pin {path}")


def unpin(path: Path) -> None:
    """Undo :meth:`pin`. Idempotent. The namespace ends with its last process or descriptor."""
    # EINVAL: not a mount point; ENOENT: gone already.
    _libc.umount2(os.fsencode(path), MNT_DETACH)
    path.unlink(missing_ok=True)


def is_pinned(path: Path) -> bool:
    """Whether a namespace is mounted here (after a reboot only the empty file is left)."""
    return path.is_mount() or (path.exists() and path.stat().st_dev != path.parent.stat().st_dev)


@contextlib.contextmanager
def inside(namespace: int | Path) -> Iterator[None]:
    """Run the body in a namespace, given by descriptor or pin. Blocking; for short work."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if isinstance(namespace, int):
            _enter(namespace)
        else:
            target = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(target)
            finally:
                os.close(target)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def named(mac: str) -> list[str]:
    """Names of the interfaces of the present namespace that have a MAC address (netdevice(7))."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            answer = fcntl.ioctl(control, SIOCGIFHWADDR, struct.pack("16s24x", name.encode()))
            if answer[18:24].hex(":") == mac:
                found.append(name)
    return found


def _enter(namespace: int) -> None:
    _check(_libc.setns(namespace, CLONE_NEWNET), "enter a network namespace")


def _set_up(name: str) -> None:
    """Bring an interface up (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), IFF_UP))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")
