"""Bad requests over HTTP: refused with status and words, and everything stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import Client
from tests.engine.conftest import Davitd

# Each of several test processes has a subnet and a port of its own: the host has them all.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_NET, _PORT = f"10.214.{_WORKER}", 32100 + _WORKER
BUSYBOX = {"Image": "busybox", "Cmd": ["true"]}


@pytest.fixture(scope="module")
def world(shared_davitd: Davitd) -> Iterator[Davitd]:
    """A daemon with a container that runs and one that does not, a network and a volume."""
    docker = shared_davitd.docker
    docker("network", "create", "--subnet", f"{_NET}.0/24", "front")
    docker("volume", "create", "store")
    docker(
        *("run", "-d", "--name", "up", "--network", "front", "-v", "store:/data"),
        *("-p", f"127.0.0.1:{_PORT}:80", "busybox", "sleep", "600"),
    )
    docker("create", "--name", "still", "busybox", "true")
    yield shared_davitd
    docker("rm", "-f", "up", "still")


def state(davitd: Davitd) -> dict[str, Any]:
    """Everything that a refused request must leave alone."""
    client = davitd.client
    containers = client.get("/containers/json", all=True).json
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "containers": {row["Id"]: row["State"] for row in containers},
        "images": [(row["Id"], row["RepoTags"]) for row in client.get("/images/json").json],
        "volumes": [row["Name"] for row in client.get("/volumes").json["Volumes"]],
        "networks": sorted(row["Name"] for row in client.get("/networks").json),
        "mounts": sorted(
            line.split()[4] for line in mounts if f"{davitd.root}/" in line and "nsfs" not in line
        ),
        "files": sorted(
            str(path)
            for top in ("blobs/sha256", "layers", "containers", "volumes", "ingest")
            for path in (davitd.data / top).glob("*")
        ),
    }


REFUSALS: list[tuple[str, str, Any, int, str]] = [
    ("POST", "/containers/create", b"{", 400, "invalid JSON in the request body"),
    ("POST", "/containers/create", {**BUSYBOX, "Env": "A=b"}, 400, "$.Env"),
    (
        *("POST", "/containers/create", {**BUSYBOX, "HostConfig": {"Memory": "1g"}}),
        *(400, "$.HostConfig.Memory"),
    ),
    ("POST", "/containers/create", {"Image": "nope"}, 404, "No such image: nope:latest"),
    ("POST", "/containers/create?name=up", BUSYBOX, 409, 'name "/up" is already in use by'),
    ("POST", "/containers/create?name=a%2Fb", BUSYBOX, 400, "Invalid container name (a/b)"),
    (
        *("POST", "/containers/create", {**BUSYBOX, "HostConfig": {"NetworkMode": "nope"}}),
        *(400, "network nope not found"),  # 404 is the image: clients pull it and try again
    ),
    (
        *("POST", "/containers/create", {**BUSYBOX, "HostConfig": {"Binds": ["/a:/b:odd"]}}),
        *(400, "invalid mode: odd"),
    ),
    ("POST", "/containers/nobody/start", None, 404, "No such container: nobody"),
    ("POST", "/containers/still/stop", None, 304, ""),
    ("POST", "/containers/up/start", None, 304, ""),
    ("POST", "/containers/still/kill", None, 409, "is not running"),
    ("POST", "/containers/up/kill?signal=SIGODD", None, 400, "SIGODD"),
    ("POST", "/containers/up/stop?t=soon", None, 400, "t='soon'"),
    ("POST", "/containers/up/wait?condition=later", None, 400, "later"),
    ("POST", "/containers/up/rename?name=still", None, 409, "already in use"),
    ("POST", "/containers/up/rename", None, 400, ""),
    ("DELETE", "/containers/up", None, 409, "container is running"),
    ("DELETE", "/containers/nobody", None, 404, "No such container: nobody"),
    ("GET", "/containers/json?filters=x", None, 400, "invalid filters: not JSON"),
    ("GET", '/containers/json?filters={"odd":["x"]}', None, 400, "invalid filter 'odd'"),
    ("GET", "/containers/up/logs", None, 400, "at least one stream"),
    ("GET", "/containers/up/logs?stdout=1&since=noon", None, 400, "invalid time 'noon'"),
    ("POST", "/containers/up/resize?h=1", None, 400, "h and w are needed"),
    ("POST", "/containers/up/attach?detachKeys=ctrl-9", None, 400, "detachKeys 'ctrl-9'"),
    ("POST", "/containers/up/exec", {"Cmd": []}, 400, "No exec command specified"),
    ("POST", "/containers/still/exec", {"Cmd": ["true"]}, 409, "is not running"),
    ("POST", "/exec/nothing/start", {}, 404, "No such exec instance: nothing"),
    ("GET", "/exec/nothing/json", None, 404, "No such exec instance: nothing"),
    ("POST", "/images/create?fromImage=127.0.0.1:1/box", None, 503, "connection refused"),
    ("POST", "/images/create?fromSrc=-&repo=UPPER", b"", 400, "UPPER"),
    ("POST", "/images/create?fromSrc=-&repo=made", b"no archive", 400, "is truncated"),
    ("POST", "/images/load?platform=x", b"", 400, "invalid JSON"),
    ("GET", "/images/nope/json", None, 404, "No such image: nope"),
    ("POST", "/images/nope/tag?repo=made", None, 404, "No such image: nope"),
    ("POST", "/images/busybox/tag?repo=UPPER", None, 400, "UPPER"),
    ("DELETE", "/images/busybox", None, 409, "conflict"),
    ("DELETE", "/images/nope", None, 404, "No such image: nope"),
    ("POST", "/volumes/create", {"Name": "a/b"}, 400, "includes invalid characters"),
    ("POST", "/volumes/create", {"Name": "vv", "Driver": "odd"}, 404, 'plugin "odd" not found'),
    ("DELETE", "/volumes/store", None, 409, "volume is in use"),
    ("DELETE", "/volumes/nope", None, 404, "no such volume"),
    ("POST", "/networks/create", {"Name": ""}, 400, "name"),
    ("POST", "/networks/create", {"Name": "front"}, 409, "front already exists"),
    (
        "POST",
        "/networks/create",
        {"Name": "more", "IPAM": {"Config": [{"Subnet": f"{_NET}.0/25"}]}},
        403,
        "front",
    ),
    (
        *("POST", "/networks/create", {"Name": "more", "IPAM": {"Config": [{"Subnet": "x"}]}}),
        *(400, "x"),
    ),
    ("DELETE", "/networks/front", None, 403, "has active endpoints"),
    ("DELETE", "/networks/bridge", None, 403, "bridge"),
    ("DELETE", "/networks/nope", None, 404, "network nope not found"),
    ("POST", "/networks/front/connect", {"Container": "nobody"}, 404, "nobody"),
    ("POST", "/networks/front/connect", {"Container": "up"}, 403, "already"),
    ("GET", '/events?filters={"odd":["x"]}', None, 400, "invalid filter 'odd'"),
    ("GET", "/events?since=noon", None, 400, "invalid time 'noon'"),
    ("POST", "/swarm/init", {}, 501, "POST /swarm/init is not implemented by davit: "),
    ("POST", "/swarm/join", {"RemoteAddrs": ["192.0.2.1"]}, 400, "invalid join token"),
    ("POST", "/swarm/leave", None, 503, "This node is not part of a swarm"),
    ("GET", "/services", None, 503, "This node is not a swarm manager."),
    ("PUT", "/volumes/data", None, 503, "volume update only valid for cluster volumes"),
    ("POST", "/session", b"", 400, "Upgrade: h2c"),
    ("POST", "/plugins/a/b/set", None, 404, 'plugin "a/b" not found'),
    ("GET", "/plugins/a/b/json", None, 404, 'plugin "a/b" not found'),
    ("GET", "/containers/nope/export", None, 404, "No such container: nope"),
    ("GET", "/no/such/thing", None, 404, "page not found"),
    ("PATCH", "/containers/up/json", None, 404, "page not found"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    REFUSALS,
    ids=[f"{row[0]} {row[1]} {number}" for number, row in enumerate(REFUSALS)],
)
def test_refusal(world: Davitd, method: str, path: str, body: Any, status: int, words: str) -> None:
    before = state(world)
    answer = world.client.request(method, path, body)
    assert answer.status == status, answer.body
    if status != 304:
        assert words in answer.message
    assert state(world) == before


def refused_start(world: Davitd, words: str, **host: Any) -> None:
    """A container that can be created and not be started leaves nothing but itself."""
    client: Client = world.client
    made = client.post("/containers/create", {**BUSYBOX, "HostConfig": host}, name="refused")
    assert made.status == 201, made.body
    before = state(world)
    try:
        answer = client.post("/containers/refused/start")
        assert answer.status >= 400
        assert words in answer.message
        after = state(world)
        assert {**after, "files": []} == {**before, "files": []}
        assert world.client.get("/containers/refused/json").json["State"]["Running"] is False
    finally:
        assert client.delete("/containers/refused", force=True).status == 204


def test_a_port_in_use_is_named_with_its_holder(world: Davitd) -> None:
    binding = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(_PORT)}]}
    refused_start(world, "up", PortBindings=binding)


def test_a_joined_container_must_run(world: Davitd) -> None:
    refused_start(world, "still", NetworkMode="container:still")
