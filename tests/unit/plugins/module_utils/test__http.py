# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The client against a server on a unix socket."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import (
    EngineError,
    Invalid,
    NotFound,
    Unreachable,
)
from ansible_collections.davit.fleet.plugins.module_utils._http import (
    Target,
    _context,
    default_host,
    environment_file,
    environment_tls,
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, content: Any, close: bool = False) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Api-Version", "1.43")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = close

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        if self.path.endswith("/close"):
            self.answer(200, {"n": len(self.server.seen)}, close=True)  # type: ignore[attr-defined]
        elif self.path.endswith("/gone"):
            self.answer(404, {"message": "No such thing"})
        elif self.path.endswith("/b"):
            self.answer(400, {"message": "multiple IDs found with provided prefix: b"})
        elif self.path.endswith("/bad"):
            self.answer(400, {"message": "bad parameter"})
        elif self.path.endswith("/broken"):
            self.answer(500, {"message": "it broke"})
        else:
            self.answer(200, {"path": self.path})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.path.endswith("/start"):
            self.answer(304, None)
        else:
            self.answer(201, {"body": json.loads(body), "path": self.path})


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Handler)
        self.seen: list[str] = []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "s") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    engine = Engine(Target(f"unix://{server.server_address}"))
    yield engine
    engine.close()


def test_the_version_is_agreed_once(engine: Engine, server: Server) -> None:
    assert engine.get("version")["path"] == "/v1.43/version"
    engine.get("info")
    assert server.seen == ["/_ping", "/v1.43/version", "/v1.43/info"]


def test_names_and_queries_are_quoted(engine: Engine) -> None:
    found = engine.get("images", "team/shop:1", "json", all=True, filters={"label": ["a=b c"]})
    assert found["path"] == (
        "/v1.43/images/team/shop:1/json?all=1&filters=%7B%22label%22%3A+%5B%22a%3Db+c%22%5D%7D"
    )


def test_bodies_are_json(engine: Engine) -> None:
    assert engine.post("containers", "create", body={"Image": "x"}, name="web") == {
        "body": {"Image": "x"},
        "path": "/v1.43/containers/create?name=web",
    }


def test_nothing_to_do_is_no_error(engine: Engine) -> None:
    engine.post("containers", "web", "start")


def test_errors_carry_the_engines_words(engine: Engine) -> None:
    assert engine.find("containers", "gone") is None
    with pytest.raises(NotFound, match="GET /containers/gone: No such thing"):
        engine.get("containers", "gone")
    with pytest.raises(EngineError, match="GET /broken: it broke") as caught:
        engine.get("broken")
    assert caught.value.status == 500


def test_the_beginning_of_several_ids_is_nobodys_name(engine: Engine) -> None:
    assert engine.find("networks", "b") is None
    with pytest.raises(EngineError, match="bad parameter"):
        engine.find("networks", "bad")


def test_a_connection_that_the_engine_closed_is_made_anew(engine: Engine) -> None:
    engine.get("close")
    assert engine.get("info")["path"] == "/v1.43/info"


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no such socket; install the engine"):
        Engine(Target(f"unix://{tmp_path}/none")).get("info")


def test_a_wrong_address() -> None:
    with pytest.raises(Invalid, match="engine_host: 'here' is not unix:///PATH"):
        Engine(Target("here"))


def test_the_environment_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert default_host() == "tcp://127.0.0.1:2375"
    monkeypatch.delenv("DOCKER_HOST")
    assert default_host().startswith("unix:///")


def test_the_environment_asks_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert (environment_tls(), environment_file("ca.pem")) == (False, "")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    assert (environment_tls(), environment_file("ca.pem")) == (True, "/certs/ca.pem")


def test_no_more_is_asked_of_a_certificate_than_by_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = ssl.create_default_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 has it
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: strict)
    context = _context(Target("tcp://127.0.0.1:1", tls=True))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_tls_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    target = Target("tcp://127.0.0.1:1", tls=True, ca=f"{tmp_path}/ca.pem")
    with pytest.raises(Invalid, match=r"cannot use TLS with .*/ca\.pem: No such file"):
        Engine(target)
