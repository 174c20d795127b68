"""Whose end is the end of a container's standard input (Docker's StdinOnce)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.engine.api.test_streams import attach
from tests.engine.client import Client, demultiplex, read_all
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.test_daemon import create, remove, until

_ECHO = ("sh", "-c", "while read line; do echo got $line; done; echo end")


@pytest.fixture
def client(shared_davitd: Davitd) -> Client:
    return shared_davitd.client


@pytest.fixture
def once(client: Client) -> Iterator[str]:
    """Not started; its standard input is for one client."""
    container = create(client, *_ECHO, OpenStdin=True, StdinOnce=True)
    yield container
    remove(client, container)


def begin(client: Client, container: str) -> None:
    assert client.post(f"/containers/{container}/start").status == 204


def logged(client: Client, container: str) -> bytes:
    return demultiplex(client.get(f"/containers/{container}/logs", stdout=True).body)[0]


def look_on_and_leave(client: Client, container: str) -> None:
    """Attach without standard input, see one line, leave."""
    watcher, _ = attach(client, container, stdout=True)
    watcher.close()
    # The daemon has seen the end when it no longer counts the connection's tasks.
    before = client.get("/info").json["NGoroutines"]
    until(lambda: client.get("/info").json["NGoroutines"] <= before, "it stays")


def test_who_only_looks_on_may_leave(client: Client, once: str) -> None:
    connection, rest = attach(client, once, stdin=True, stdout=True)
    with connection:
        begin(client, once)
        for number in range(3):
            look_on_and_leave(client, once)
            connection.sendall(b"%d\n" % number)
            until(lambda n=number: b"got %d\n" % n in logged(client, once), "no answer")
        connection.shutdown(socket.SHUT_WR)
        output = demultiplex(read_all(connection, rest))[0]
    assert output == b"got 0\ngot 1\ngot 2\nend\n"


def test_the_end_of_the_one_client_is_the_end_of_input(client: Client, once: str) -> None:
    connection, _ = attach(client, once, stdin=True, stdout=True)
    begin(client, once)
    look_on_and_leave(client, once)
    connection.sendall(b"last\n")
    until(lambda: b"got last\n" in logged(client, once), "no answer")
    connection.close()
    assert client.post(f"/containers/{once}/wait").json["StatusCode"] == 0
    assert logged(client, once) == b"got last\nend\n"


def test_nobody_has_attached_yet(client: Client, once: str) -> None:
    begin(client, once)
    look_on_and_leave(client, once)
    connection, rest = attach(client, once, stdin=True, stdout=True)
    with connection:
        connection.sendall(b"late\n")
        connection.shutdown(socket.SHUT_WR)
        assert demultiplex(read_all(connection, rest))[0] == b"got late\nend\n"


def test_an_input_for_many_clients_stays_open(client: Client) -> None:
    container = create(client, *_ECHO, OpenStdin=True)
    begin(client, container)
    for word in (b"one", b"two"):
        connection, rest = attach(client, container, stdin=True, stdout=True)
        with connection:
            connection.sendall(word + b"\n")
            until(lambda w=word: b"got " + w in logged(client, container), "no answer")
            # As with Docker, the end of its input ends the session, and nothing else.
            connection.shutdown(socket.SHUT_WR)
            assert demultiplex(read_all(connection, rest))[0] == b"got " + word + b"\n"
    assert client.get(f"/containers/{container}/json").json["State"]["Running"] is True
    remove(client, container)


def test_more_input_than_a_pipe_holds(client: Client) -> None:
    script = "sleep 0.5; md5sum"
    container = create(client, "sh", "-c", script, OpenStdin=True, StdinOnce=True)
    connection, rest = attach(client, container, stdin=True, stdout=True)
    with connection:
        begin(client, container)
        connection.sendall(bytes(3 << 20))
        connection.shutdown(socket.SHUT_WR)
        output = demultiplex(read_all(connection, rest))[0]
    assert output == b"d1dd210d6b1312cb342b56d02bd5e651  -\n"
    remove(client, container)


def test_input_goes_on_after_a_restart_of_the_daemon() -> None:
    with new_davitd() as davitd:
        davitd.load_busybox()
        client = davitd.client
        container = create(client, *_ECHO, OpenStdin=True, StdinOnce=True)
        begin(client, container)
        davitd.kill()
        davitd.start()
        connection, rest = attach(client, container, stdin=True, stdout=True)
        with connection:
            look_on_and_leave(client, container)
            connection.sendall(b"still\n")
            connection.shutdown(socket.SHUT_WR)
            assert demultiplex(read_all(connection, rest))[0] == b"got still\nend\n"
