# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 to the engine over a unix socket or TCP with TLS, with the standard library alone."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid, unreachable

DEFAULT_SOCKETS = ("/run/davit/davit.sock", "/var/run/docker.sock")


@dataclass(frozen=True)
class Target:
    """Where the engine listens. tls files are paths on this host, empty for none."""

    host: str
    timeout: int = 60
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True
    hostname: str = ""


def default_host() -> str:
    """DOCKER_HOST, or the first engine's socket that exists, davit's before Moby's."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    found = next((path for path in DEFAULT_SOCKETS if os.path.exists(path)), DEFAULT_SOCKETS[0])
    return f"unix://{found}"


def is_absent(host: str) -> bool:
    """Whether this host has no such socket: an engine may be down behind one that is there."""
    parts = urlsplit(host)
    return parts.scheme == "unix" and not os.path.lexists(parts.path)


def environment_tls() -> bool:
    """Whether Docker's environment asks for TLS: DOCKER_TLS_VERIFY is anything but empty."""
    return bool(os.environ.get("DOCKER_TLS_VERIFY"))


def environment_file(name: str) -> str:
    """Path of ``ca.pem``, ``cert.pem`` or ``key.pem`` in DOCKER_CERT_PATH; empty without it."""
    directory = os.environ.get("DOCKER_CERT_PATH")
    return os.path.join(directory, name) if directory else ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: int) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Connection:
    """One keep-alive connection; made anew when the engine has closed it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = _make(target)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request and return its answer, body unread. Raises Unreachable."""
        fresh = self._connection.sock is None
        try:
            return self._send(method, path, body, headers or {})
        except (ConnectionError, http.client.BadStatusLine, OSError) as error:
            self._connection.close()
            # The engine may drop an idle connection. Only what changes nothing is sent again.
            if fresh or method not in ("GET", "HEAD"):
                raise unreachable(self._target.host, error) from error
        try:
            return self._send(method, path, body, headers or {})
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise unreachable(self._target.host, error) from error

    def allow(self, seconds: int) -> None:
        """Wait that much longer than the target's timeout for each answer from now on."""
        timeout = self._target.timeout + seconds
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)

    def close(self) -> None:
        self._connection.close()

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, path, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # An engine that refuses an upload answers and closes before it has read everything.
            if isinstance(body, (bytes, type(None))):
                raise
        return self._connection.getresponse()


def _make(target: Target) -> http.client.HTTPConnection:
    parts = urlsplit(target.host)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, target.timeout)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise Invalid(f"engine_host: {target.host!r} is not unix:///PATH or tcp://ADDRESS:PORT")
    if not (target.tls or parts.scheme == "https"):
        return http.client.HTTPConnection(
            parts.hostname, parts.port or 2375, timeout=target.timeout
        )
    return _TLSConnection(target, parts.hostname, parts.port or 2376)


class _TLSConnection(http.client.HTTPSConnection):
    def __init__(self, target: Target, host: str, port: int) -> None:
        context = _context(target)
        super().__init__(host, port, timeout=target.timeout, context=context)
        self._tls = context
        self._name = target.hostname or host

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def _context(target: Target) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=target.ca or None)
        # As docker does: authorities made by hand often lack what Python 3.13 asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if target.certificate:
            context.load_cert_chain(target.certificate, target.key or None)
    except OSError as error:  # ssl.SSLError is one.
        files = ", ".join(file for file in (target.ca, target.certificate, target.key) if file)
        raise Invalid(f"cannot use TLS with {files}: {error.strerror or error}") from error
    if not target.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
