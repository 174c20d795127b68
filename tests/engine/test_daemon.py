"""davitd as a process: its end, its sudden death, and that it keeps nothing it does not need."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.client import Client, UnixConnection, demultiplex, read_all
from tests.engine.conftest import Davitd


def create(client: Client, *command: str, name: str = "", **options: object) -> str:
    body = {"Image": "busybox", "Cmd": list(command), **options}
    answer = client.post("/containers/create", body, **({"name": name} if name else {}))
    assert answer.status == 201, answer.body
    return str(answer.json["Id"])


def start(client: Client, *command: str, name: str = "", **options: object) -> str:
    container = create(client, *command, name=name, **options)
    assert client.post(f"/containers/{container}/start").status == 204
    return container


def remove(client: Client, container: str) -> None:
    assert client.delete(f"/containers/{container}", force=True).status == 204


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that happens soon after an answer."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def settled(davitd: Davitd) -> dict[str, object]:
    """What it holds when nothing is being cleaned up any more."""
    until(lambda: not Usage(davitd).files, "files of removed containers stay")
    seen: list[dict[str, object]] = [{}, {"nothing": "yet"}]
    while seen[-1] != seen[-2]:
        time.sleep(0.3)
        seen.append(Usage(davitd).count())
        assert len(seen) < 50, seen
    return seen[-1]


def _links(directory: Path) -> Iterator[str]:
    """Yield what descriptors lead to, without their numbers; one may be closed meanwhile."""
    for entry in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(entry).split(":")[0]


class Usage:
    """What davitd holds: descriptors, tasks, threads, children, mounts, network namespaces."""

    def __init__(self, davitd: Davitd) -> None:
        own = Path(f"/proc/{davitd.pid}")
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        # Looked at before davitd is asked: its side of that connection is closed a little later.
        self.descriptors = sorted(_links(own / "fd"))
        info = davitd.client.get("/info").json
        self.tasks = info["NGoroutines"]
        self.followers = info["NEventsListener"]
        self.children = (own / f"task/{davitd.pid}/children").read_text().split()
        self.mounts = sorted(line.split()[4] for line in mounts if f"{davitd.root}/" in line)
        self.files = sorted(
            str(path)
            for top in ("containers", "execs", "exits", "s", "runtime")
            for path in (davitd.run / top).glob("*")
        )

    def count(self) -> dict[str, object]:
        return {
            # A pool of ready network namespaces is filled when there is time for it.
            "descriptors": [kind for kind in self.descriptors if kind != "net"],
            "tasks": self.tasks,
            "followers": self.followers,
            "children": self.children,
            "mounts": len(self.mounts),
            "files": self.files,
        }


def round_of_everything(client: Client) -> None:
    """Use a container in each way that holds something open."""
    container = create(client, "sh", "-c", "read line; echo got $line", OpenStdin=True)
    attached, rest = client.hijack(
        f"/containers/{container}/attach", stream=True, stdin=True, stdout=True, stderr=True
    )
    with attached:
        assert client.post(f"/containers/{container}/start").status == 204
        made = client.post(
            f"/containers/{container}/exec",
            {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True},
        )
        inside, more = client.hijack(f"/exec/{made.json['Id']}/start", {})
        with inside:
            inside.sendall(b"through cat")
            inside.shutdown(socket.SHUT_WR)
            assert demultiplex(read_all(inside, more)) == (b"through cat", b"")
        attached.sendall(b"words\n")
        assert demultiplex(read_all(attached, rest)) == (b"got words\n", b"")
    assert client.post(f"/containers/{container}/wait").json["StatusCode"] == 0
    logs = client.get(f"/containers/{container}/logs", stdout=True, follow=True)
    assert demultiplex(logs.body) == (b"got words\n", b"")
    remove(client, container)


def test_nothing_is_kept_of_what_has_ended(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    round_of_everything(client)
    before = settled(shared_davitd)
    for _ in range(5):
        round_of_everything(client)
    assert settled(shared_davitd) == before


def test_nothing_is_kept_for_clients_that_vanished(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    round_of_everything(client)
    before = settled(shared_davitd)
    container = start(client, "sleep", "600", OpenStdin=True)
    made = client.post(
        f"/containers/{container}/exec", {"Cmd": ["sleep", "600"], "AttachStdout": True}
    )
    streams = [
        client.hijack(f"/containers/{container}/attach", stream=True, stdin=True, stdout=True)[0],
        client.hijack(f"/containers/{container}/attach", stream=True, stdout=True)[0],
        client.hijack(f"/exec/{made.json['Id']}/start", {})[0],
    ]
    waiting = [UnixConnection(shared_davitd.socket) for _ in range(3)]
    waiting[0].request("GET", "/events")
    waiting[1].request("GET", f"/containers/{container}/logs?follow=1&stdout=1")
    waiting[2].request("POST", f"/containers/{container}/wait")
    until(lambda: Usage(shared_davitd).followers == 1, "nobody follows the events")
    for connection in (*streams, *waiting):
        connection.close()
    until(lambda: Usage(shared_davitd).followers == 0, "the events' follower stays")
    # The exec goes on without its client, as in Docker; it ends with its container.
    remove(client, container)
    assert settled(shared_davitd) == before


def test_containers_survive_a_sudden_death(davitd: Davitd) -> None:
    davitd.load_busybox()
    client = davitd.client
    script = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done"
    talker = start(client, "sh", "-c", script, name="talker")
    ended = start(client, "sh", "-c", "sleep 0.3; exit 7", name="ended")
    again = start(
        client,
        *("sh", "-c", "sleep 0.3; exit 1"),
        name="again",
        HostConfig={"RestartPolicy": {"Name": "always"}},
    )
    gone = start(client, "sleep", "0.3", name="gone", HostConfig={"AutoRemove": True})
    pid = client.get(f"/containers/{talker}/json").json["State"]["Pid"]
    davitd.kill()
    time.sleep(0.6)
    davitd.start()
    state = client.get(f"/containers/{talker}/json").json["State"]
    assert (state["Status"], state["Pid"]) == ("running", pid)
    state = client.get(f"/containers/{ended}/json").json["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 7)
    until(
        lambda: client.get(f"/containers/{again}/json").json["RestartCount"] > 0,
        "the restart policy rests",
    )
    until(lambda: client.get(f"/containers/{gone}/json").status == 404, "not removed")
    numbers = demultiplex(client.get(f"/containers/{talker}/logs", stdout=True).body)[0].split()
    assert numbers == [str(n).encode() for n in range(1, len(numbers) + 1)]
    done = davitd.docker("exec", "talker", "echo", "inside")
    assert done.stdout == b"inside\n"
    davitd.docker("stop", "-t", "0", "talker")
    davitd.docker("rm", "-f", "talker", "ended", "again")


def test_containers_survive_an_orderly_end(davitd: Davitd) -> None:
    davitd.load_busybox()
    container = start(davitd.client, "sleep", "600")
    follower = UnixConnection(davitd.socket)
    follower.request("GET", "/events")
    assert follower.getresponse().status == 200
    assert davitd.stop() == 0
    follower.close()
    assert not davitd.socket.exists()
    davitd.start()
    assert davitd.client.get(f"/containers/{container}/json").json["State"]["Running"] is True


def test_two_daemons_live_side_by_side(davitd: Davitd, shared_davitd: Davitd) -> None:
    davitd.load_busybox()
    for daemon in (davitd, shared_davitd):
        daemon.docker("run", "-d", "--name", "same", "--network", "bridge", "busybox", "sleep", "9")
    addresses = {
        json.loads(daemon.docker("inspect", "same").stdout)[0]["NetworkSettings"]["Gateway"]
        for daemon in (davitd, shared_davitd)
    }
    assert len(addresses) == 2
    for daemon in (davitd, shared_davitd):
        daemon.docker("rm", "-f", "same")


def test_a_second_daemon_on_the_same_root_is_refused(shared_davitd: Davitd) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "davit", "--data-root", str(shared_davitd.data)),
            *("--run-root", str(shared_davitd.root / "other")),
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert f"in use by davitd with process ID {shared_davitd.pid}".encode() in done.stderr
    assert shared_davitd.client.get("/_ping").status == 200


def test_erase_is_refused_while_it_runs(shared_davitd: Davitd) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        shared_davitd.erase()
    assert shared_davitd.client.get("/_ping").status == 200


def test_erase_without_data_is_like_a_reboot(davitd: Davitd) -> None:
    davitd.load_busybox()
    davitd.docker("volume", "create", "store")
    davitd.docker("network", "create", "front")
    davitd.docker("run", "-d", "--name", "box", "--network", "front", "busybox", "sleep", "600")
    davitd.stop(signal.SIGINT)
    davitd.erase(data=False)
    assert davitd.left_behind() == []
    davitd.start()
    (shown,) = json.loads(davitd.docker("inspect", "box").stdout)
    assert shown["State"]["Status"] == "exited"
    davitd.docker("start", "box")
    assert davitd.docker("volume", "ls", "-q").stdout.split() == [b"store"]


def test_the_pid_file_comes_and_goes(davitd: Davitd, tmp_path: Path) -> None:
    davitd.stop()
    file = tmp_path / "pid"
    davitd.flags = ("--pidfile", str(file))
    davitd.start()
    assert int(file.read_text()) == davitd.pid
    davitd.stop()
    assert not file.exists()


def test_readiness_is_told(davitd: Davitd, tmp_path: Path) -> None:
    davitd.stop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(20)
        davitd.environment = {"NOTIFY_SOCKET": str(tmp_path / "n")}
        davitd.start()
        assert manager.recv(64) == b"READY=1"
        davitd.stop()
        assert manager.recv(64) == b"STOPPING=1"
