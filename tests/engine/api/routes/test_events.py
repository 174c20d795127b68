"""``GET /events`` of a real daemon: what is told of each act, and how it can be picked."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.engine.client import read_all
from tests.engine.conftest import Davitd


class Recorder:
    """Asks for what happened since it was made."""

    def __init__(self, davitd: Davitd) -> None:
        self._davitd = davitd
        self._start = stamp()

    def rows(self, **filters: list[str]) -> list[dict[str, Any]]:
        answer = self._davitd.client.get(
            "/events", since=self._start, until=stamp(), filters=filters
        )
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.splitlines()]

    def actions(self, **filters: list[str]) -> list[str]:
        return [row["Action"] for row in self.rows(**filters)]


def stamp() -> str:
    """Seconds since the epoch with all nine decimals, as the CLI sends times."""
    now = time.time_ns()
    return f"{now // 10**9}.{now % 10**9:09d}"


def test_a_containers_life(shared_davitd: Davitd) -> None:
    recorder, client = Recorder(shared_davitd), shared_davitd.client
    body = {
        "Image": "busybox",
        "Cmd": ["sleep", "600"],
        "Tty": True,
        "Labels": {"team": "blue"},
        "HostConfig": {"Binds": ["cargo:/cargo"]},
    }
    box = client.post("/containers/create", body, name="box").json["Id"]
    steps: list[tuple[str, Any, dict[str, Any]]] = [
        ("start", None, {}),
        ("resize", None, {"h": 20, "w": 80}),
        ("pause", None, {}),
        ("unpause", None, {}),
        ("rename", None, {"name": "crate"}),
        ("update", {"CpuShares": 512}, {}),
        ("restart", None, {"t": 0}),
        ("stop", None, {"t": 0}),
    ]
    for verb, asked, query in steps:
        answer = client.post(f"/containers/{box}/{verb}", asked, **query)
        assert answer.status in (200, 204), (verb, answer.body)
        if verb == "update":
            client.get(f"/containers/{box}/top")
            run = client.post(f"/containers/{box}/exec", {"Cmd": ["true"], "AttachStdout": True})
            client.post(f"/exec/{run.json['Id']}/start", {})
    assert client.delete(f"/containers/{box}").status == 204
    assert recorder.actions(type=["container"]) == [
        *("create", "start", "resize", "pause", "unpause", "rename", "update", "top"),
        *("exec_create: true", "exec_start: true", "exec_die"),
        *("kill", "kill", "die", "stop", "start", "restart"),
        *("kill", "kill", "die", "stop", "destroy"),
    ]
    assert recorder.actions(volume=["cargo"]) == [
        *("create", "mount", "unmount", "mount", "unmount"),
    ]
    # Who has left its network is told while the container may be gone already.
    assert recorder.actions(network=["bridge"]) == ["connect", "disconnect"] * 2

    rows = {row["Action"]: row for row in recorder.rows(container=[box[:12]])}
    assert set(rows) == set(recorder.actions(type=["container"]))
    seen = rows["start"]
    assert seen["Actor"]["ID"] == seen["id"] == box
    assert (seen["status"], seen["from"], seen["scope"]) == ("start", "busybox", "local")
    assert seen["Actor"]["Attributes"] == {"image": "busybox", "name": "crate", "team": "blue"}
    assert seen["timeNano"] // 10**9 == seen["time"]
    assert rows["rename"]["Actor"]["Attributes"]["oldName"] == "/box"
    assert rows["die"]["Actor"]["Attributes"]["exitCode"] == "137"
    assert rows["kill"]["Actor"]["Attributes"]["signal"] == "9"
    assert rows["exec_die"]["Actor"]["Attributes"]["execID"] == run.json["Id"]

    assert recorder.actions(event=["die", "destroy"]) == ["die", "die", "destroy"]
    assert recorder.actions(label=["team=blue"], event=["create"]) == ["create"]
    assert recorder.actions(image=["busybox"], event=["exec_create"]) == ["exec_create: true"]
    assert recorder.actions(label=["team=red"]) == []
    assert recorder.actions(scope=["swarm"]) == []
    assert recorder.actions(daemon=["none"]) == []


def test_who_leaves_by_keys(shared_davitd: Davitd) -> None:
    recorder, client = Recorder(shared_davitd), shared_davitd.client
    body = {"Image": "busybox", "Cmd": ["sleep", "600"]}
    box = client.post("/containers/create", body).json["Id"]
    assert client.post(f"/containers/{box}/start").status == 204
    keys = {"AttachStdin": True, "AttachStdout": True, "Tty": True, "DetachKeys": "ctrl-x,x"}
    run = client.post(f"/containers/{box}/exec", {"Cmd": ["sh"], **keys}).json["Id"]
    connection, start = client.hijack(f"/exec/{run}/start", {"Tty": True})
    with connection:
        connection.sendall(b"\x18x")
        read_all(connection, start)
    (row,) = recorder.rows(event=["exec_detach"])
    assert row["Actor"]["Attributes"]["execID"] == run
    assert client.delete(f"/containers/{box}", force=True).status == 204


def test_images_networks_and_volumes(shared_davitd: Davitd) -> None:
    recorder, client = Recorder(shared_davitd), shared_davitd.client
    assert client.post("/images/busybox/tag", repo="other", tag="1").status == 201
    assert client.get("/images/other:1/get").status == 200
    assert client.delete("/images/other:1").status == 200
    assert recorder.actions(type=["image"]) == ["tag", "save", "untag"]
    network = client.post("/networks/create", {"Name": "net"}).json["Id"]
    assert client.delete("/networks/net").status == 204
    assert recorder.actions(network=[network]) == ["create", "destroy"]
    assert client.post("/volumes/create", {"Name": "data"}).status == 201
    assert client.delete("/volumes/data").status == 204
    assert recorder.actions(type=["volume"]) == ["create", "destroy"]
    assert client.get("/events", filters={"nonsense": ["1"]}).status == 400
    assert client.get("/events", since="yesterday").status == 400


def test_the_last_256_are_kept(shared_davitd: Davitd) -> None:
    client = shared_davitd.client
    for _ in range(150):
        client.post("/volumes/create", {"Name": "data"})
        client.delete("/volumes/data")
    answer = client.get("/events", since=1, until=stamp())
    assert len(answer.body.splitlines()) == 256


def test_the_cli_reads_relative_times(shared_davitd: Davitd) -> None:
    shared_davitd.client.post("/volumes/create", {"Name": "told"})
    filters = ("--filter", "type=volume", "--filter", "volume=told")
    done = shared_davitd.docker("events", "--since", "10m", "--until", stamp(), *filters)
    assert b"volume create told" in done.stdout
