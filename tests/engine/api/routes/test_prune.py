"""Prune everywhere: what goes, what stays, and the bytes that are gained."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import Client
from tests.engine.conftest import Davitd
from tests.engine.imagekit import Built, docker_archive, files

_SIZE = 3 << 20


@pytest.fixture
def davitd(shared_davitd: Davitd) -> Iterator[Davitd]:
    yield shared_davitd
    client = shared_davitd.client
    for row in client.get("/containers/json", all=True).json:
        client.delete(f"/containers/{row['Id']}", force=True, v=True)
    client.post("/volumes/prune", filters={"all": ["true"]})
    client.post("/networks/prune")


def create(davitd: Davitd, name: str, **asked: Any) -> str:
    body = {"Image": "busybox", "Cmd": ["true"], **asked}
    answer = davitd.client.post("/containers/create", body, name=name)
    assert answer.status == 201, answer.body
    return str(answer.json["Id"])


def run(davitd: Davitd, name: str, script: str, **asked: Any) -> str:
    """Run to the end."""
    container = create(davitd, name, Cmd=["sh", "-c", script], **asked)
    assert davitd.client.post(f"/containers/{container}/start").status == 204
    assert davitd.client.post(f"/containers/{container}/wait").json["StatusCode"] == 0
    return container


def write(path: str) -> str:
    return f"dd if=/dev/zero of={path} bs=1M count={_SIZE >> 20}"


def test_containers(davitd: Davitd) -> None:
    client = davitd.client
    ended = run(davitd, "ended", write("/big"), Labels={"a": "1"})
    new = create(davitd, "new", Labels={"a": "2"})
    kept = create(davitd, "kept", Labels={"keep": ""})
    busy = create(davitd, "busy", Cmd=["sleep", "600"])
    assert client.post(f"/containers/{busy}/start").status == 204

    def prune(**filters: list[str]) -> Any:
        answer = client.post("/containers/prune", filters=filters)
        assert answer.status == 200, answer.body
        return answer.json

    nothing = {"ContainersDeleted": None, "SpaceReclaimed": 0}
    assert prune(until=["1h"]) == nothing
    assert prune(label=["a=3"]) == nothing
    gained = prune(label=["a=1"], until=[f"{time.time() + 60:.9f}"])
    assert gained["ContainersDeleted"] == [ended]
    assert _SIZE <= gained["SpaceReclaimed"] < _SIZE + 65536
    assert prune(**{"label!": ["keep"]})["ContainersDeleted"] == [new]
    assert prune()["ContainersDeleted"] == [kept]
    assert [row["Id"] for row in client.get("/containers/json", all=True).json] == [busy]


def test_volumes(davitd: Davitd) -> None:
    client = davitd.client
    for name, labels in (("one", {"a": "1"}), ("two", {}), ("used", {})):
        assert client.post("/volumes/create", {"Name": name, "Labels": labels}).status == 201
    anonymous = client.post("/volumes/create", {}).json["Name"]
    run(davitd, "filler", write("/one/big"), HostConfig={"Binds": ["one:/one"]})
    assert client.delete("/containers/filler").status == 204
    create(davitd, "user", HostConfig={"Binds": ["used:/used"]})
    answer = client.post("/volumes/prune").json
    assert answer == {"VolumesDeleted": [anonymous], "SpaceReclaimed": 0}
    answer = client.post("/volumes/prune", filters={"all": ["1"], "label": ["a"]}).json
    assert answer["VolumesDeleted"] == ["one"]
    assert _SIZE <= answer["SpaceReclaimed"] < _SIZE + 65536
    # Before 1.42 named volumes went without being asked for.
    answer = Client(davitd.socket, "v1.41").post("/volumes/prune").json
    assert answer["VolumesDeleted"] == ["two"]
    assert [row["Name"] for row in client.get("/volumes").json["Volumes"]] == ["used"]


def test_networks(davitd: Davitd) -> None:
    client = davitd.client
    for name, labels in (("one", {"a": "1"}), ("two", {}), ("used", {})):
        answer = client.post("/networks/create", {"Name": name, "Labels": labels})
        assert answer.status == 201, answer.body
    busy = create(davitd, "busy", Cmd=["sleep", "600"], HostConfig={"NetworkMode": "used"})
    assert client.post(f"/containers/{busy}/start").status == 204
    answer = client.post("/networks/prune", filters={"until": ["1h"]})
    assert answer.json == {"NetworksDeleted": None}
    answer = client.post("/networks/prune", filters={"label": ["a=1"]})
    assert answer.json == {"NetworksDeleted": ["one"]}
    assert client.post("/networks/prune").json == {"NetworksDeleted": ["two"]}
    client.delete(f"/containers/{busy}", force=True)


def test_images_give_what_the_usage_calls_reclaimable(davitd: Davitd) -> None:
    client = davitd.client
    create(davitd, "user")
    unused = Built(layers=[files({"a": bytes(_SIZE)}), files({"b": "b"})], tags=["unused:1"])
    assert client.post("/images/load", docker_archive(unused)).status == 200
    usage = client.get("/system/df", type="image").json
    # As the CLI computes it.
    used = [row["Size"] - row["SharedSize"] for row in usage["Images"] if row["Containers"]]
    reclaimable = usage["LayersSize"] - sum(used)
    assert reclaimable == _SIZE + 1
    on_disk = disk_usage(davitd)
    answer = client.post("/images/prune", filters={"dangling": ["false"]}).json
    assert {"Deleted": unused.id} in answer["ImagesDeleted"]
    assert answer["SpaceReclaimed"] == reclaimable
    assert client.get("/system/df", type="image").json["LayersSize"] == sum(used)
    # What was loaded uncompressed is there once.
    assert reclaimable <= on_disk - disk_usage(davitd) < 2 * reclaimable


def disk_usage(davitd: Davitd) -> int:
    """Bytes of all that the image store has."""
    shown = subprocess.run(
        ["du", "--bytes", "--total", *(davitd.data / place for place in ("blobs", "layers"))],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(shown.stdout.splitlines()[-1].split()[0])


def test_build(davitd: Davitd) -> None:
    answer = davitd.client.post("/build/prune", all=True, filters={"until": ["24h"]})
    assert answer.json == {"CachesDeleted": None, "SpaceReclaimed": 0}
    assert davitd.client.post("/build/prune", filters={"nonsense": ["1"]}).status == 400


@pytest.mark.parametrize("kind", ["containers", "images", "networks", "volumes"])
def test_bad_filters(davitd: Davitd, kind: str) -> None:
    refused: list[Any] = [{"nonsense": ["1"]}, "{"]
    if kind != "volumes":
        refused += [{"until": ["yesterday"]}, {"until": ["1h", "2h"]}]
    for filters in refused:
        answer = davitd.client.post(f"/{kind}/prune", filters=filters)
        assert answer.status == 400, (filters, answer.body)


def test_each_tells_what_it_gained(davitd: Davitd) -> None:
    start = time.time_ns()
    run(davitd, "ended", write("/big"))
    for kind in ("containers", "images", "networks", "volumes"):
        assert davitd.client.post(f"/{kind}/prune").status == 200
    answer = davitd.client.get(
        "/events",
        since=f"{start // 10**9}.{start % 10**9:09d}",
        until=f"{time.time() + 0.001:.9f}",
        filters={"event": ["prune"]},
    )
    rows = [json.loads(line) for line in answer.body.splitlines()]
    told = {row["Type"]: int(row["Actor"]["Attributes"]["reclaimed"]) for row in rows}
    assert set(told) == {"container", "image", "network", "volume"}
    assert told["container"] >= _SIZE


def test_the_cli_prunes_the_system(davitd: Davitd, tmp_path: Path) -> None:
    run(davitd, "ended", write("/big"))
    davitd.docker("network", "create", "gone")
    davitd.docker("volume", "create", "gone")
    done = davitd.docker("system", "prune", "--force", "--volumes")
    assert b"Total reclaimed space: 3.1" in done.stdout
    assert b"gone" in done.stdout
