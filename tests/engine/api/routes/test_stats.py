"""``GET /containers/{id}/stats`` of real containers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import Client
from tests.engine.conftest import Davitd

_NEVER = "0001-01-01T00:00:00Z"


@pytest.fixture
def davitd(shared_davitd: Davitd) -> Iterator[Davitd]:
    """The module's daemon; every test leaves it without containers."""
    yield shared_davitd
    for row in shared_davitd.client.get("/containers/json", all=True).json:
        shared_davitd.client.delete(f"/containers/{row['Id']}", force=True)


def create(davitd: Davitd, command: list[str], **host: Any) -> str:
    body = {"Image": "busybox", "Cmd": command, "HostConfig": {"Init": False, **host}}
    answer = davitd.client.post("/containers/create", body)
    assert answer.status == 201, answer.body
    return str(answer.json["Id"])


def run(davitd: Davitd, command: list[str], **host: Any) -> str:
    container = create(davitd, command, **host)
    answer = davitd.client.post(f"/containers/{container}/start")
    assert answer.status == 204, answer.body
    return container


def lines(path: Path, target: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a stream as they come; it is chunked, one object a chunk."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for line in connection.makefile("rb"):
            if line.startswith(b"{"):
                yield json.loads(line)
            elif line == b"0\r\n":
                return


def test_a_busy_container(davitd: Davitd) -> None:
    container = run(
        davitd, ["sh", "-c", "while :; do :; done"], Memory=64 << 20, PidsLimit=20, CpuShares=64
    )
    seen = davitd.client.get(f"/containers/{container}/stats", stream=0).json
    name = davitd.client.get(f"/containers/{container}/json").json["Name"]
    assert (seen["id"], seen["name"]) == (container, name)
    assert seen["read"] > seen["preread"] > _NEVER
    cpu, before = seen["cpu_stats"], seen["precpu_stats"]
    used = cpu["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    # It competes with whatever else this machine does, but it has done something, and no more
    # than all CPUs together can.
    assert 0 < used <= cpu["system_cpu_usage"] - before["system_cpu_usage"]
    assert cpu["online_cpus"] == before["online_cpus"] >= 1
    assert 0 < seen["memory_stats"]["usage"] <= seen["memory_stats"]["limit"] == 64 << 20
    assert "total_inactive_file" in seen["memory_stats"]["stats"] or (
        "inactive_file" in seen["memory_stats"]["stats"]
    )
    assert seen["pids_stats"] == {"current": 1, "limit": 20}
    assert (seen["num_procs"], seen["storage_stats"]) == (0, {})
    assert isinstance(seen["blkio_stats"]["io_service_bytes_recursive"], list)


def test_interfaces_count_what_a_container_sends(davitd: Davitd) -> None:
    bridge = davitd.client.get("/networks/bridge").json
    ping = f"ping -c 3 {bridge['IPAM']['Config'][0]['Gateway']} >/dev/null; sleep 600"
    container = run(davitd, ["sh", "-c", ping])
    for seen in lines(davitd.socket, f"/v1.51/containers/{container}/stats"):
        counters = seen["networks"]["eth0"]
        if counters["tx_packets"] >= 4:  # one of them asks for the address
            break
    assert set(seen["networks"]) == {"eth0"}
    assert counters["tx_bytes"] >= 3 * 98  # an echo request of 56 bytes with its headers
    assert (counters["tx_errors"], counters["tx_dropped"]) == (0, 0)


@pytest.mark.parametrize("mode", ["none", "host"])
def test_no_network_of_its_own(davitd: Davitd, mode: str) -> None:
    container = run(davitd, ["sleep", "600"], NetworkMode=mode)
    answer = davitd.client.get(f"/containers/{container}/stats", stream=0, **{"one-shot": True})
    assert "networks" not in answer.json


def test_one_shot_has_no_reading_before_it(davitd: Davitd) -> None:
    container = run(davitd, ["sleep", "600"])
    path = f"/containers/{container}/stats"
    seen = davitd.client.get(path, stream=0, **{"one-shot": True}).json
    assert seen["preread"] == _NEVER
    assert seen["read"] > _NEVER
    assert seen["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert "system_cpu_usage" not in seen["precpu_stats"]
    refused = davitd.client.get(path, **{"one-shot": True})
    assert refused.status == 400
    assert refused.message == "cannot have stream=true and one-shot=true"
    older = Client(davitd.socket, "v1.40").get(path, stream=0, **{"one-shot": True})
    assert older.json["preread"] > _NEVER


def test_of_a_container_that_does_not_run_there_is_nothing(davitd: Davitd) -> None:
    container = create(davitd, ["true"])
    seen = davitd.client.get(f"/containers/{container}/stats", stream=0).json
    assert (seen["read"], seen["preread"]) == (_NEVER, _NEVER)
    assert (seen["memory_stats"], seen["pids_stats"]) == ({}, {})
    assert seen["cpu_stats"] == seen["precpu_stats"]
    assert davitd.client.get("/containers/none/stats").status == 404


def test_a_stream_goes_on_over_a_restart_and_ends_with_the_container(davitd: Davitd) -> None:
    container = create(davitd, ["sleep", "600"])
    wanted = ["nothing", "running", "nothing"]
    seen = []
    for stats in lines(davitd.socket, f"/v1.51/containers/{container}/stats"):
        if wanted and ("nothing" if stats["read"] == _NEVER else "running") == wanted[0]:
            wanted.pop(0)
            seen.append(stats)
            if len(wanted) == 2:
                davitd.client.post(f"/containers/{container}/start")
            elif len(wanted) == 1:
                davitd.client.post(f"/containers/{container}/kill")
            else:
                davitd.client.delete(f"/containers/{container}")
    assert not wanted
    # The first reading of a run has none before it.
    assert seen[1]["preread"] == _NEVER


def test_many_watchers_share_a_sampler_that_ends_with_the_last(davitd: Davitd) -> None:
    first, second = run(davitd, ["sleep", "600"]), run(davitd, ["sleep", "600"])
    streams = [
        lines(davitd.socket, f"/v1.51/containers/{container}/stats")
        for container in (first, first, second)
    ]
    for stream in streams:
        next(stream)
    # One reading for both watchers: the same instants.
    times = [{next(stream)["read"] for _ in range(2)} for stream in streams[:2]]
    assert times[0] & times[1]
    for stream in streams:
        stream.close()
    assert davitd.client.delete(f"/containers/{first}", force=True).status == 204


def test_the_cli_shows_them(davitd: Davitd) -> None:
    container = run(davitd, ["sleep", "600"], Memory=64 << 20)
    create(davitd, ["true"])
    shown = davitd.docker("stats", "--no-stream", "--all", "--no-trunc", "--format", "{{json .}}")
    rows = {row["ID"]: row for row in map(json.loads, shown.stdout.splitlines())}
    assert len(rows) == 2
    assert rows[container]["MemUsage"].endswith(" / 64MiB")
    assert rows[container]["PIDs"] == "1"
    assert rows[container]["CPUPerc"].endswith("%")
