"""What becomes of attached clients and of execs at the edges: leaving early, restarts, floods."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.engine.api.test_streams import attach, make_exec
from tests.engine.client import Client, demultiplex, read_all
from tests.engine.conftest import Davitd
from tests.engine.test_daemon import Usage, create, remove, settled, start, until


@pytest.fixture
def client(shared_davitd: Davitd) -> Client:
    return shared_davitd.client


@pytest.fixture
def box(client: Client) -> Iterator[str]:
    """A container that stays."""
    container = start(client, "sleep", "600")
    yield container
    remove(client, container)


def test_an_exec_can_be_resized_as_soon_as_it_is_answered(client: Client, box: str) -> None:
    for _ in range(5):
        exec_id = make_exec(client, box, "sh", "-c", "read x; stty size", Tty=True,
                            AttachStdin=True)  # fmt: skip
        connection, rest = client.hijack(f"/exec/{exec_id}/start", {"Tty": True})
        with connection:
            assert client.post(f"/exec/{exec_id}/resize", h=40, w=120).status == 200
            connection.sendall(b"\n")
            assert read_all(connection, rest).endswith(b"40 120\r\n")
    assert client.post(f"/exec/{exec_id}/resize", h=40, w=120).status == 409
    never = make_exec(client, box, "true", Tty=True)
    assert client.post(f"/exec/{never}/resize", h=40, w=120).status == 409


def test_who_leaves_while_its_exec_starts_leaves_nothing_open(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    before = settled(shared_davitd)
    box = start(client, "sleep", "600")
    for _ in range(8):
        exec_id = make_exec(client, box, "sleep", "0.2")
        connection, _ = client.hijack(f"/exec/{exec_id}/start", {})
        # With data unread the end is sudden.
        connection.close()
        until(
            lambda e=exec_id: client.get(f"/exec/{e}/json").json["ExitCode"] == 0, "it did not run"
        )
    remove(client, box)
    assert settled(shared_davitd) == before


def test_who_waits_in_vain_leaves_nothing(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    container = create(client, "true")
    before = settled(shared_davitd)
    for _ in range(3):
        connection, _ = attach(client, container, stdout=True)
        connection.close()
    assert settled(shared_davitd) == before
    assert client.post(f"/containers/{container}/start").status == 204
    assert client.post(f"/containers/{container}/wait").status == 200
    remove(client, container)


def test_docker_py_gets_the_whole_log(shared_davitd: Davitd) -> None:
    """Its reader of the head takes along what has come by then, and drops it."""
    client = shared_davitd.client
    container = start(client, "sh", "-c", "seq 20; sleep 600")
    until(
        lambda: b"20\n" in client.get(f"/containers/{container}/logs", stdout=True).body, "silent"
    )
    api = docker.APIClient(base_url=f"unix://{shared_davitd.socket}", version="1.51")
    try:
        for _ in range(10):
            raw = api.attach_socket(container, {"stdout": 1, "stream": 1, "logs": 1})
            received = b""
            while b"20\n" not in received:
                received += raw.read(4096)
            raw._response.close()
            raw.close()
            assert demultiplex(received)[0].split() == [b"%d" % n for n in range(1, 21)]
    finally:
        api.close()
    remove(client, container)


def test_a_slow_client_holds_the_process_up_and_loses_nothing(client: Client) -> None:
    script = "i=0; while [ $i -lt 40000 ]; do echo line number $i; i=$((i+1)); done"
    container = create(client, "sh", "-c", script)
    slow, rest = attach(client, container, stdout=True)
    with slow:
        assert client.post(f"/containers/{container}/start").status == 204
        # Others are served meanwhile.
        assert client.get("/_ping").status == 200
        assert client.get(f"/containers/{container}/json").json["State"]["Running"] is True
        output = demultiplex(read_all(slow, rest))[0]
    assert output == b"".join(b"line number %d\n" % number for number in range(40000))
    remove(client, container)


def test_a_vanished_client_lets_the_process_go_on(client: Client) -> None:
    container = create(client, "dd", "if=/dev/zero", "bs=1M", "count=16",
                       HostConfig={"LogConfig": {"Type": "none"}})  # fmt: skip
    stuck, _ = attach(client, container, stdout=True)
    assert client.post(f"/containers/{container}/start").status == 204
    stuck.close()
    assert client.post(f"/containers/{container}/wait").json["StatusCode"] == 0
    remove(client, container)


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("pause", 409, "is paused, unpause the container before attach"),
        ("restarting", 409, "is restarting, wait until the container is running"),
    ],
)
def test_states_in_which_nobody_attaches(
    client: Client, state: str, status: int, words: str
) -> None:
    command = ("sleep", "600") if state == "pause" else ("false",)
    container = start(client, *command, HostConfig={"RestartPolicy": {"Name": "always"}})
    if state == "pause":
        assert client.post(f"/containers/{container}/pause").status == 204
    shown = {"pause": "paused"}.get(state, state)

    def is_there() -> bool:
        return bool(client.get(f"/containers/{container}/json").json["State"]["Status"] == shown)

    until(is_there, f"it is never {state}")
    answers = []

    def refused() -> bool:
        answers.append(client.post(f"/containers/{container}/attach", stream=True, stdout=True))
        return answers[-1].status == status

    # It restarts again and again: the moment may have passed.
    until(refused, f"{answers}")
    assert words in answers[-1].message
    remove(client, container)


def test_a_restart_ends_the_session(client: Client) -> None:
    container = start(client, "sleep", "600")
    connection, rest = attach(client, container, stdout=True)
    with connection:
        assert client.post(f"/containers/{container}/restart", t=0).status == 204
        assert read_all(connection, rest) == b""
    remove(client, container)


def test_resizing_what_has_no_terminal_changes_nothing(client: Client, box: str) -> None:
    assert client.post(f"/containers/{box}/resize", h=40, w=120).status == 200
    created = create(client, "true", Tty=True)
    answer = client.post(f"/containers/{created}/resize", h=40, w=120)
    assert (answer.status, answer.message) == (409, f"container {created} is not running")
    remove(client, created)


@pytest.mark.parametrize("sudden", [True, False])
def test_sessions_end_with_the_daemon_and_execs_go_on(davitd: Davitd, sudden: bool) -> None:
    davitd.load_busybox()
    client = davitd.client
    container = start(client, "sleep", "600")
    exec_id = make_exec(client, container, "sh", "-c", "sleep 3; touch /outlived")
    sessions = [
        client.hijack(f"/exec/{exec_id}/start", {})[0],
        attach(client, container, stdout=True)[0],
    ]
    until(lambda: client.get(f"/exec/{exec_id}/json").json["Running"] is True, "it does not run")
    follower = http.client.HTTPConnection("x")
    follower.sock = socket.socket(socket.AF_UNIX)
    follower.sock.connect(str(davitd.socket))
    follower.request("GET", f"/containers/{container}/logs?stdout=1&follow=1")
    answer = follower.getresponse()
    if sudden:
        davitd.kill()
    else:
        assert davitd.stop() == 0
    for session in sessions:
        with session:
            assert session.recv(100) == b""
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    follower.close()
    davitd.start()
    assert client.get(f"/exec/{exec_id}/json").status == 404
    directory = davitd.run / "execs"
    assert [path.name for path in directory.iterdir()] == [exec_id]
    until(lambda: not list(directory.iterdir()), "its directory stays")
    assert davitd.docker("exec", container, "ls", "/outlived").stdout == b"/outlived\n"
    until(lambda: not Usage(davitd).children, "children stay")


def test_what_an_exec_left_is_removed_at_the_start(davitd: Davitd) -> None:
    davitd.load_busybox()
    client = davitd.client
    container = start(client, "sleep", "600")
    exec_id = make_exec(client, container, "sleep", "600")
    session, _ = client.hijack(f"/exec/{exec_id}/start", {})
    until(lambda: client.get(f"/exec/{exec_id}/json").json["Running"] is True, "it does not run")
    davitd.kill()
    session.close()
    pid = int((davitd.run / "execs" / exec_id / "pid").read_text())
    os.kill(pid, 9)
    until(lambda: not Path(f"/proc/{pid}").exists(), "it lives")
    davitd.start()
    until(lambda: not list((davitd.run / "execs").iterdir()), "its directory stays")
