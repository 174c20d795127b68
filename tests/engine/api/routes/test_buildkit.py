"""Clients of BuildKit: connections that change their protocol."""

from __future__ import annotations

import socket

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, PingAckReceived, ResponseReceived, StreamEnded

from tests.engine.conftest import Davitd

_UPGRADE = {"Connection": "Upgrade", "Upgrade": "h2c", "X-Docker-Expose-Session-Uuid": "mine"}
_CALL = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/moby.buildkit.v1.Control/DiskUsage"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]


def upgraded(davitd: Davitd, path: str, *headers: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(davitd.socket))
    head_lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: h2c"]
    connection.sendall("\r\n".join([*head_lines, *headers, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return connection


def exchange(connection: socket.socket, client: H2Connection, last: type[Event]) -> list[Event]:
    """Send what the client has, and read until an event."""
    events: list[Event] = []
    while not any(isinstance(event, last) for event in events):
        connection.sendall(client.data_to_send())
        data = connection.recv(4096)
        assert data, events
        events += client.receive_data(data)
    return events


def test_what_grpc_does_not_serve(shared_davitd: Davitd) -> None:
    with upgraded(shared_davitd, "/grpc") as connection:
        client = H2Connection(H2Configuration(header_encoding="utf-8"))
        client.initiate_connection()
        for stream in (1, 3):
            client.send_headers(stream, _CALL)
            client.send_data(stream, b"\0\0\0\0\0", end_stream=True)
            events = exchange(connection, client, StreamEnded)
            (answer,) = (event for event in events if isinstance(event, ResponseReceived))
            fields = dict(answer.headers or [])
            assert (fields[":status"], fields["grpc-status"]) == ("200", "12")
        client.ping(b"12345678")
        exchange(connection, client, PingAckReceived)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n" + b"x" * 9, b"PRI * HTTP/2.0\r\n"])
def test_what_is_not_http_2_ends_the_connection(shared_davitd: Davitd, data: bytes) -> None:
    with upgraded(shared_davitd, "/grpc") as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def test_a_session_is_there_while_its_client_is(shared_davitd: Davitd) -> None:
    header = "X-Docker-Expose-Session-Uuid: mine"
    build = {"version": 2, "session": "mine", "outputs": "x"}
    with upgraded(shared_davitd, "/session", header) as connection:
        assert connection.recv(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        again = shared_davitd.client.request("POST", "/session", headers=_UPGRADE)
        assert (again.status, "session mine already exists" in again.message) == (409, True)
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        connection.sendall(server.data_to_send())
        answer = shared_davitd.client.post("/build", **build)
        assert (answer.status, "outputs" in answer.message) == (501, True)
    answer = shared_davitd.client.post("/build", **build)
    assert (answer.status, "no active session for mine" in answer.message) == (404, True)


def test_a_session_that_breaks_the_protocol(shared_davitd: Davitd) -> None:
    with upgraded(shared_davitd, "/session", "X-Docker-Expose-Session-Uuid: odd") as connection:
        connection.sendall(b"\0\0\1\0\0\0\0\0\0x")  # data of no stream
        while connection.recv(4096):
            pass


@pytest.mark.parametrize("path", ["/grpc", "/session"])
def test_a_plain_request_is_refused(shared_davitd: Davitd, path: str) -> None:
    answer = shared_davitd.client.post(path)
    assert (answer.status, "Upgrade: h2c" in answer.message) == (400, True)
