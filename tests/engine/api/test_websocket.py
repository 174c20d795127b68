"""Attach over a websocket, with the client that docker-py uses."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import docker
import pytest
import websocket

from tests.engine.client import Client
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.test_daemon import create, remove, until
from tests.engine.test_hosts import free_port


class OnTcp:
    def __init__(self, davitd: Davitd, port: int) -> None:
        self.davitd = davitd
        self.client = davitd.client
        self.port = port

    def attach(self, container: str, version: str = "v1.51", **options: str) -> websocket.WebSocket:
        query = "&".join(f"{key}={value}" for key, value in options.items())
        url = f"ws://127.0.0.1:{self.port}/{version}/containers/{container}/attach/ws?{query}"
        return websocket.create_connection(url, timeout=20)


@pytest.fixture(scope="module")
def on_tcp() -> Iterator[OnTcp]:
    port = free_port()
    with new_davitd("-H", f"tcp://127.0.0.1:{port}") as davitd:
        davitd.load_busybox()
        yield OnTcp(davitd, port)


@pytest.fixture
def echo(on_tcp: OnTcp) -> Iterator[str]:
    script = "while read line; do echo got $line; echo err >&2; done; echo end"
    container = create(on_tcp.client, "sh", "-c", script, OpenStdin=True, StdinOnce=True)
    yield container
    remove(on_tcp.client, container)


def begin(client: Client, container: str) -> None:
    assert client.post(f"/containers/{container}/start").status == 204


def receive_until(connection: websocket.WebSocket, words: bytes) -> bytes:
    received = b""
    while words not in received:
        received += connection.recv()
    return received


def test_docker_py_attaches(on_tcp: OnTcp, echo: str) -> None:
    client = docker.APIClient(base_url=f"tcp://127.0.0.1:{on_tcp.port}", version="1.51")
    try:
        connection = client.attach_socket(echo, {"stdin": 1, "stdout": 1, "stream": 1}, ws=True)
        begin(on_tcp.client, echo)
        connection.send(b"hello\n")
        assert receive_until(connection, b"hello\n") == b"got hello\n"
        connection.close()
    finally:
        client.close()
    # Its end was the end of standard input.
    assert on_tcp.client.post(f"/containers/{echo}/wait").json["StatusCode"] == 0


def test_the_socket_is_closed_with_the_container(on_tcp: OnTcp, echo: str) -> None:
    begin(on_tcp.client, echo)
    connection = on_tcp.attach(echo, stream="1", stdin="1", stdout="1", stderr="1", logs="1")
    connection.send("text is taken, too\n")
    received = receive_until(connection, b"err\n")
    assert b"got text is taken, too\n" in received
    assert on_tcp.client.post(f"/containers/{echo}/kill").status == 204
    assert not connection.recv()
    connection.shutdown()


def test_old_clients_get_text(on_tcp: OnTcp, echo: str) -> None:
    begin(on_tcp.client, echo)
    connection = on_tcp.attach(echo, "v1.27", stream="1", stdin="1", stdout="1")
    connection.send("hello\n")
    opcode, data = connection.recv_data()
    assert (opcode, data) == (websocket.ABNF.OPCODE_TEXT, b"got hello\n")
    connection.close()


def test_the_log_alone(on_tcp: OnTcp) -> None:
    container = create(on_tcp.client, "echo", "logged")
    begin(on_tcp.client, container)
    assert on_tcp.client.post(f"/containers/{container}/wait").status == 200
    connection = on_tcp.attach(container, logs="1", stdout="1")
    assert connection.recv() == b"logged\n"
    assert not connection.recv()
    connection.shutdown()
    remove(on_tcp.client, container)


def test_refusals_come_before_the_handshake(on_tcp: OnTcp, echo: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        on_tcp.attach("no-such-container", stream="1")
    assert caught.value.status_code == 404
    begin(on_tcp.client, echo)
    assert on_tcp.client.post(f"/containers/{echo}/pause").status == 204
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        on_tcp.attach(echo, stream="1")
    assert caught.value.status_code == 409
    answer = on_tcp.client.get(f"/containers/{echo}/attach/ws", stream=True)
    assert answer.status == 409
    assert on_tcp.client.post(f"/containers/{echo}/unpause").status == 204
    # No handshake at all.
    answer = on_tcp.client.get(f"/containers/{echo}/attach/ws", stream=True)
    assert answer.status == 400


def test_a_client_that_is_cut_off_is_noticed(on_tcp: OnTcp, echo: str) -> None:
    begin(on_tcp.client, echo)
    before = on_tcp.client.get("/info").json["NGoroutines"]
    connection = on_tcp.attach(echo, stream="1", stdin="1", stdout="1")
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.shutdown()
    until(lambda: on_tcp.client.get("/info").json["NGoroutines"] <= before, "its tasks stay")
    assert on_tcp.client.post(f"/containers/{echo}/wait").json["StatusCode"] == 0
