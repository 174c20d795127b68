"""Clients of BuildKit: they are told how to build, in the words that they show."""

from __future__ import annotations

import socket

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, PingAckReceived, ResponseReceived, StreamEnded

from tests.engine.conftest import Davitd

_CALL = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/moby.buildkit.v1.Control/Solve"),
    (":authority", "localhost"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
]


def upgraded(davitd: Davitd, path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(davitd.socket))
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".encode()
    )
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


def test_grpc_tells_the_way_out(shared_davitd: Davitd) -> None:
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
            assert "set DOCKER_BUILDKIT=0" in fields["grpc-message"]
        client.ping(b"12345678")
        exchange(connection, client, PingAckReceived)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n" + b"x" * 9, b"PRI * HTTP/2.0\r\n"])
def test_what_is_not_http_2_ends_the_connection(shared_davitd: Davitd, data: bytes) -> None:
    with upgraded(shared_davitd, "/grpc") as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def test_a_session_is_open_while_its_client_is(shared_davitd: Davitd) -> None:
    with upgraded(shared_davitd, "/session") as connection:
        connection.sendall(b"anything")
        assert shared_davitd.client.get("/_ping").status == 200
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


@pytest.mark.parametrize("path", ["/grpc", "/session"])
def test_a_plain_request_is_refused(shared_davitd: Davitd, path: str) -> None:
    answer = shared_davitd.client.post(path)
    assert (answer.status, "DOCKER_BUILDKIT=0" in answer.message) == (501, True)
