"""The HTTP client of all measurements: standard library, one kept connection, no parsing."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path


class EngineError(Exception):
    """An engine refused a request; the message has its status and its words."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class Client:
    """Requests to one engine."""

    def __init__(self, socket_path: Path) -> None:
        self._connection = _UnixConnection(socket_path)

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Send bytes as they are, anything else as JSON; return the body of the answer."""
        headers = {}
        payload = None
        if isinstance(body, bytes):
            payload, headers = body, {"Content-Type": "application/x-tar"}
        elif body is not None:
            payload, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        self._connection.request(method, path, body=payload, headers=headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise EngineError(f"{method} {path}: {response.status}: {answer.decode()}")
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
