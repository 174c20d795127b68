"""The engine's client against a small server on a unix socket."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    NotFound,
    Unreachable,
)
from ansible_collections.davit.fleet.plugins.module_utils._http import Target, default_host


class Handler(BaseHTTPRequestHandler):
    """Answers what the server holds for a method and a path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        status, content = self.server.answers.get(self.path, (404, {"message": "no such thing"}))
        if status != 413:
            self.server.received += self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Api-Version", self.server.version)
        self.send_header("Content-Length", str(len(data)))
        if self.path.endswith("last") or status == 413:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: Any) -> None:
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.path = path
        self.answers: dict[str, tuple[int, Any]] = {"/_ping": (200, b"OK")}
        self.asked: list[str] = []
        self.received = b""
        self.version = "1.41"
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "s") as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    client = Engine(Target(f"unix://{server.path}", timeout=10))
    yield client
    client.close()


def test_requests_share_a_connection_and_a_negotiated_version(
    server: Server, engine: Engine
) -> None:
    server.answers["/v1.41/info"] = (200, {"ID": "x"})
    assert engine.get("info") == {"ID": "x"}
    assert engine.get("info") == {"ID": "x"}
    assert server.asked == ["GET /_ping", "GET /v1.41/info", "GET /v1.41/info"]
    assert server.connections == 1


@pytest.mark.parametrize(("theirs", "agreed"), [("1.24", (1, 24)), ("1.99", (1, 51))])
def test_version(server: Server, engine: Engine, theirs: str, agreed: tuple[int, int]) -> None:
    server.version = theirs
    engine.negotiate()
    assert engine.api_version == agreed


def test_engine_that_is_too_old(server: Server, engine: Engine) -> None:
    server.version = "1.23"
    with pytest.raises(EngineError, match=r"1\.24 is needed"):
        engine.negotiate()


def test_query(server: Server, engine: Engine) -> None:
    engine.find("containers", "json", all=True, filters={"label": ["a=b"]})
    assert server.asked[-1] == (
        "GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D"
    )


def test_errors(server: Server, engine: Engine) -> None:
    assert engine.find("containers", "web", "json") is None
    with pytest.raises(NotFound, match="no such thing"):
        engine.get("containers", "web", "json")
    server.answers["/v1.41/info"] = (500, b"out of order\n")
    with pytest.raises(EngineError, match=r"GET /info: out of order") as caught:
        engine.get("info")
    assert caught.value.status == 500


def test_connection_that_the_engine_has_closed(server: Server, engine: Engine) -> None:
    server.answers["/v1.41/last"] = (200, {})
    server.answers["/v1.41/info"] = (200, {})
    engine.get("last")
    engine.get("info")
    assert server.connections == 2


def test_archive_is_streamed(server: Server, engine: Engine, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"tar" * 1000)
    server.answers["/v1.41/images/load?quiet=1"] = (200, b'{"stream":"Loaded"}\n')
    assert engine.load([str(archive)]) == [{"stream": "Loaded"}]
    assert server.received == archive.read_bytes()


def test_error_in_the_progress(server: Server, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "image.tar").touch()
    server.answers["/v1.41/images/load?quiet=1"] = (200, b'{"stream":"a"}\n{"error":"bad layer"}\n')
    with pytest.raises(EngineError, match="bad layer"):
        engine.load([str(tmp_path / "image.tar")])


def test_upload_that_is_refused_before_its_end(
    server: Server, engine: Engine, tmp_path: Path
) -> None:
    with (tmp_path / "image.tar").open("wb") as file:
        file.truncate(64 << 20)
    server.answers["/v1.41/images/load?quiet=1"] = (413, {"message": "too large"})
    with pytest.raises(EngineError, match="too large"):
        engine.load([str(tmp_path / "image.tar")])


def test_default_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    assert default_host() == "tcp://10.0.0.1:2376"


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no such socket"):
        Engine(Target(f"unix://{tmp_path / 'none'}")).negotiate()
