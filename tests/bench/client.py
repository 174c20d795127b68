"""The HTTP client of all measurements: standard library, one kept connection, no parsing."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
from pathlib import Path
from typing import BinaryIO

_PIECE = 64 << 10
_NOBODY = base64.b64encode(b"{}").decode()


class EngineError(Exception):
    """An engine refused a request; the message has its status and its words."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", blocksize=_PIECE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class Client:
    """Requests to one engine."""

    def __init__(self, socket_path: Path) -> None:
        self._connection = _UnixConnection(socket_path)

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """Send bytes and files as they are, else JSON; return the body of the answer."""
        # Moby wants credentials with each push, be there any or not.
        headers = {"X-Registry-Auth": _NOBODY} if path.partition("?")[0].endswith("/push") else {}
        payload: bytes | BinaryIO | None = None
        if isinstance(body, bytes | io.BufferedReader):
            payload = body
            headers["Content-Type"] = "application/x-tar"
        elif body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body=payload, headers=headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise EngineError(f"{method} {path}: {response.status}: {answer.decode()}")
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
