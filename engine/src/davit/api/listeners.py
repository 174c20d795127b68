"""Opening the sockets on which the API is served."""

from __future__ import annotations

import errno
import grp
import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from davit.errors import Conflict, DavitError, InvalidParameter, NotSupported

# Clients that may wait to be accepted: on a Unix socket the next one fails, EAGAIN (connect(2)).
# The kernel allows no more than net.core.somaxconn, which is 4096 where nobody has changed it.
BACKLOG = 4096
PLAIN_PORT, TLS_PORT = 2375, 2376
# A client that is gone without a word is found by the kernel after about two minutes (seconds,
# probes), however silent the stream to it is.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 6))


@dataclass(frozen=True)
class Listener:
    """One socket. path: of a unix socket that is ours to remove."""

    socket: socket.socket
    path: Path | None = None

    @property
    def is_tcp(self) -> bool:
        return self.socket.family in (socket.AF_INET, socket.AF_INET6)

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0]).is_loopback

    def close(self) -> None:
        self.socket.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Activated:
    """A socket that the service manager has opened (sd_listen_fds(3)), and its name there."""

    name: str
    socket: socket.socket


def open_host(
    host: str, *, group: str = "", tls: bool = False, activated: Sequence[Activated] = ()
) -> list[Listener]:
    """Open what a ``--host`` names. Blocking; it may ask for a name's addresses.

    ``unix:///PATH``, ``tcp://[ADDRESS][:PORT]`` (localhost, 2375 or with TLS 2376), ``fd://`` for
    all activated sockets, ``fd://NAME`` and ``fd://NUMBER`` for some.
    Raises InvalidParameter, NotSupported, Conflict (address in use), each with the host.
    """
    scheme, _, rest = host.partition("://")
    if scheme == "unix":
        if not rest.startswith("/"):
            raise InvalidParameter(f"host {host}: an absolute path is needed: unix:///PATH")
        return [_bind_unix(Path(rest), _group_id(group))]
    if scheme == "tcp":
        return _bind_tcp(host, TLS_PORT if tls else PLAIN_PORT)
    if scheme == "fd":
        return _pick(host, rest, activated)
    raise NotSupported(f"host {host}: davit listens on unix://, tcp:// and fd:// only")


def _pick(host: str, wanted: str, activated: Sequence[Activated]) -> list[Listener]:
    """The numbers begin with 3, as in the process that gets the sockets."""
    found = [
        entry.socket
        for number, entry in enumerate(activated, 3)
        if wanted in ("", "*", entry.name, str(number))
    ]
    if not found:
        given = ", ".join(entry.name for entry in activated) or "none"
        raise InvalidParameter(
            f"host {host}: no such socket has been passed by the service manager (passed: {given})"
        )
    return [Listener(sock) for sock in found]


def _bind_tcp(host: str, default_port: int) -> list[Listener]:
    try:
        target = urlsplit(host)
        name = target.hostname or "localhost"
        port = default_port if target.port is None else target.port
        if target.path.strip("/") or target.query or target.username:
            raise ValueError
    except ValueError:
        raise InvalidParameter(f"host {host}: use tcp://ADDRESS:PORT") from None
    listeners: list[Listener] = []
    try:
        for family, address in _addresses(name, port):
            listeners.append(Listener(_listen_tcp(family, address)))
    except OSError as error:
        for listener in listeners:
            listener.close()
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason += " by another process (`ss -ltnp` names it): choose another port or end it"
        raise Conflict(f"cannot listen on {host}: {reason}") from None
    return listeners


def _addresses(name: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # The same address may be found twice.
    unique = {(entry[0], entry[4][:2]): None for entry in found}
    return [(family, (str(address[0]), int(address[1]))) for family, address in unique]


def _listen_tcp(family: int, address: tuple[str, int]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections have their options from the socket that accepts them.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        if family == socket.AF_INET6:
            # tcp://[::]:PORT serves IPv4, too, as with dockerd.
            only = address[0] != "::"
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _group_id(group: str) -> int:
    if not group:
        return -1
    if group.isdigit():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise InvalidParameter(
            f"group {group!r} does not exist: create it, or name another with --group"
        ) from None


def _bind_unix(path: Path, group: int) -> Listener:
    """Bind a socket that only root and the group can use from its first moment on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _remove_stale(path)
        # The file gets its mode from the socket (net/unix/af_unix.c); the umask is all threads'.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        os.chown(path, -1, group)
        path.chmod(0o660)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = ": the path is too long for a socket" if "too long" in str(error) else ""
        raise Conflict(f"cannot listen on unix://{path}: {error}{hint}") from None
    except DavitError:
        listener.close()
        raise
    return Listener(listener, path)


def _remove_stale(path: Path) -> None:
    """Remove the socket of a daemon that is no more. Raises Conflict when someone answers."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        refused = probe.connect_ex(str(path))
    if refused != errno.ECONNREFUSED:
        raise Conflict(f"cannot listen on unix://{path}: another daemon listens there already")
    path.unlink()
