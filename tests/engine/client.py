"""A small HTTP client on a unix socket, for tests: blocking, standard library only."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The text of Docker's error body."""
        return str(self.json["message"])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float = 60) -> None:
        super().__init__("davit", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Requests to a daemon. ``query`` values: True becomes 1, dicts and lists JSON."""

    def __init__(self, path: Path, version: str = "v1.51") -> None:
        self.path = path
        self._version = version

    def get(self, path: str, **query: Any) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("POST", path, body, query=query)

    def delete(self, path: str, **query: Any) -> Answer:
        return self.request("DELETE", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = UnixConnection(self.path)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._target(path, query or {}), body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def hijack(self, path: str, body: Any = None, **query: Any) -> tuple[socket.socket, bytes]:
        """POST with ``Upgrade: tcp``; return the connection and what came behind the head."""
        payload = b"" if body is None else json.dumps(body).encode()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(60)
        connection.connect(str(self.path))
        connection.sendall(
            f"POST {self._target(path, query)} HTTP/1.1\r\nHost: davit\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n".encode()
            + payload
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            assert data, f"the connection ended in the head: {head!r}"
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED"), head + rest
        return connection, rest

    def _target(self, path: str, query: dict[str, Any]) -> str:
        prefix = f"/{self._version}" if self._version else ""
        pairs = {
            key: json.dumps(value) if isinstance(value, dict | list) else value
            for key, value in query.items()
        }
        pairs = {key: 1 if value is True else value for key, value in pairs.items()}
        return prefix + path + (f"?{urlencode(pairs)}" if pairs else "")


def read_all(connection: socket.socket, start: bytes = b"") -> bytes:
    """Read until the other side closes."""
    parts = [start]
    while data := connection.recv(64 << 10):
        parts.append(data)
    return b"".join(parts)


def demultiplex(data: bytes) -> tuple[bytes, bytes]:
    """Split Docker's frames into stdout and stderr."""
    streams = {1: b"", 2: b""}
    while data:
        length = int.from_bytes(data[4:8], "big")
        streams[data[0]] += data[8 : 8 + length]
        data = data[8 + length :]
    return streams[1], streams[2]
