"""Attach, logs and exec on real containers, on the connection itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.engine.client import Client, demultiplex, read_all
from tests.engine.conftest import Davitd
from tests.engine.test_daemon import create, remove, start, until


@pytest.fixture
def client(shared_davitd: Davitd) -> Client:
    return shared_davitd.client


@pytest.fixture
def box(client: Client) -> Iterator[str]:
    """A container that stays."""
    container = start(client, "sleep", "600")
    yield container
    remove(client, container)


def attach(client: Client, container: str, **options: bool) -> tuple[socket.socket, bytes]:
    return client.hijack(f"/containers/{container}/attach", stream=True, **options)


def make_exec(client: Client, container: str, *command: str, **options: object) -> str:
    made = client.post(
        f"/containers/{container}/exec",
        {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **options},
    )
    assert made.status == 201, made.body
    return str(made.json["Id"])


def until_running(client: Client, exec_id: str) -> None:
    """The answer comes before the process does."""
    until(lambda: client.get(f"/exec/{exec_id}/json").json["Running"], "it does not run")


def test_all_clients_get_all_output(client: Client) -> None:
    container = create(client, "sh", "-c", "seq 1 20000; echo bad >&2")
    clients = [attach(client, container, stdout=True, stderr=True) for _ in range(3)]
    only_errors, rest = attach(client, container, stderr=True)
    assert client.post(f"/containers/{container}/start").status == 204
    expected = "".join(f"{number}\n" for number in range(1, 20001)).encode()
    for connection, beginning in clients:
        with connection:
            assert demultiplex(read_all(connection, beginning)) == (expected, b"bad\n")
    with only_errors:
        assert demultiplex(read_all(only_errors, rest)) == (b"", b"bad\n")
    remove(client, container)


def test_attach_replays_the_log_first(client: Client) -> None:
    container = start(client, "sh", "-c", "echo before; read x; echo after $x", OpenStdin=True)
    until(
        lambda: b"before" in client.get(f"/containers/{container}/logs", stdout=True).body,
        "nothing is logged",
    )
    connection, rest = attach(client, container, logs=True, stdin=True, stdout=True)
    with connection:
        connection.sendall(b"all\n")
        assert demultiplex(read_all(connection, rest)) == (b"before\nafter all\n", b"")
    remove(client, container)


def test_end_of_input_reaches_the_process(client: Client) -> None:
    container = create(client, "wc", "-c", OpenStdin=True, StdinOnce=True)
    connection, rest = attach(client, container, stdin=True, stdout=True)
    with connection:
        assert client.post(f"/containers/{container}/start").status == 204
        connection.sendall(b"x" * 500_000)
        connection.shutdown(socket.SHUT_WR)
        assert demultiplex(read_all(connection, rest)) == (b"500000\n", b"")
    remove(client, container)


def test_a_terminal_is_raw_and_has_a_size(client: Client) -> None:
    container = create(
        client,
        *("sh", "-c", "stty size; read x; stty size"),
        Tty=True,
        OpenStdin=True,
        HostConfig={"ConsoleSize": [31, 97]},
    )
    connection, rest = attach(client, container, stdin=True, stdout=True)
    with connection:
        assert client.post(f"/containers/{container}/start").status == 204
        while b"31 97\r\n" not in rest:
            rest += connection.recv(4096)
        answer = client.post(f"/containers/{container}/resize", h=40, w=120)
        assert answer.status == 200
        connection.sendall(b"\n")
        assert read_all(connection).endswith(b"40 120\r\n")
    remove(client, container)


def test_a_removed_container_ends_a_waiting_client(client: Client) -> None:
    container = create(client, "true")
    connection, rest = attach(client, container, stdout=True)
    with connection:
        remove(client, container)
        assert read_all(connection, rest) == b""


@pytest.mark.parametrize(
    ("version", "tty", "kind"),
    [
        ("v1.41", False, "application/vnd.docker.raw-stream"),
        ("v1.42", False, "application/vnd.docker.multiplexed-stream"),
        ("v1.42", True, "application/vnd.docker.raw-stream"),
    ],
)
def test_media_types(shared_davitd: Davitd, version: str, tty: bool, kind: str) -> None:
    client = Client(shared_davitd.socket, version)
    container = start(client, "echo", "hi", Tty=tty)
    client.post(f"/containers/{container}/wait")
    answer = client.get(f"/containers/{container}/logs", stdout=True)
    assert answer.headers["Content-Type"] == kind
    assert answer.body == (b"hi\r\n" if tty else b"\1\0\0\0\0\0\0\3hi\n")
    remove(client, container)


def test_the_life_of_an_exec(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "sh", "-c", "read x; exit 6", AttachStdin=True)
    shown = client.get(f"/exec/{exec_id}/json").json
    assert (shown["Running"], shown["ExitCode"], shown["Pid"]) == (False, None, 0)
    assert shown["ProcessConfig"]["arguments"] == ["-c", "read x; exit 6"]
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {})
    with connection:
        until_running(client, exec_id)
        shown = client.get(f"/exec/{exec_id}/json").json
        assert shown["Pid"] > 0
        assert client.get(f"/containers/{box}/json").json["ExecIDs"] == [exec_id]
        again = client.post(f"/exec/{exec_id}/start", {})
        assert (again.status, "is running already" in again.message) == (409, True)
        connection.sendall(b"\n")
        assert read_all(connection, rest) == b""
    shown = client.get(f"/exec/{exec_id}/json").json
    assert (shown["Running"], shown["ExitCode"]) == (False, 6)
    assert client.get(f"/containers/{box}/json").json["ExecIDs"] is None
    assert client.post(f"/exec/{exec_id}/start", {}).status == 409
    seen = client.get("/events", since=0, until=1, filters={"container": [box]})
    assert seen.status == 200


def test_exec_with_a_terminal(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "sh", "-c", "stty size; read x; stty size", Tty=True,
                        AttachStdin=True)  # fmt: skip
    connection, rest = client.hijack(
        f"/exec/{exec_id}/start", {"Tty": True, "ConsoleSize": [31, 97]}
    )
    with connection:
        while b"31 97\r\n" not in rest:
            rest += connection.recv(4096)
        assert client.post(f"/exec/{exec_id}/resize", h=40, w=120).status == 200
        connection.sendall(b"\n")
        assert read_all(connection).endswith(b"40 120\r\n")


def test_the_start_says_how_an_exec_is_read(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "echo", "framed", Tty=True)
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {"Tty": False})
    with connection:
        assert demultiplex(read_all(connection, rest)) == (b"framed\r\n", b"")
    exec_id = make_exec(client, box, "echo", "raw")
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {"Tty": True})
    with connection:
        assert read_all(connection, rest) == b"raw\n"


def test_detaching_leaves_the_process(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "cat", Tty=True, AttachStdin=True, DetachKeys="ctrl-a,d")
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {"Tty": True})
    with connection:
        connection.sendall(b"\x01d")
        read_all(connection, rest)
    assert client.get(f"/exec/{exec_id}/json").json["Running"] is True


def test_a_detached_exec(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "sh", "-c", "exit 5")
    assert client.post(f"/exec/{exec_id}/start", {"Detach": True}).status == 200
    until(lambda: client.get(f"/exec/{exec_id}/json").json["ExitCode"] == 5, "it does not end")


def test_an_exec_that_cannot_be_run(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "no-such-program")
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {})
    with connection:
        output = demultiplex(read_all(connection, rest))
    assert b"no-such-program" in output[1]
    assert client.get(f"/exec/{exec_id}/json").json["ExitCode"] == 126
    detached = make_exec(client, box, "/etc/passwd")
    answer = client.post(f"/exec/{detached}/start", {"Detach": True})
    assert answer.status == 400
    assert client.get(f"/exec/{detached}/json").json["ExitCode"] == 126


def test_execs_end_with_their_container(client: Client, box: str) -> None:
    exec_id = make_exec(client, box, "sleep", "600")
    connection, rest = client.hijack(f"/exec/{exec_id}/start", {})
    with connection:
        until_running(client, exec_id)
        assert client.post(f"/containers/{box}/kill").status == 204
        assert read_all(connection, rest) == b""
    assert client.get(f"/exec/{exec_id}/json").json["ExitCode"] == 137
