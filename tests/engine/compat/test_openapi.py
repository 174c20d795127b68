"""Answers have the shapes that Docker publishes for them, in its newest and in an old version."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import AsyncMock

import pytest

from davit.api.routes import missing, swarm
from davit.api.routing import Route, Router
from tests.engine.client import Answer, Client
from tests.engine.compat.descriptions import NEWEST, OLDEST, description
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.imagekit import busybox
from tests.engine.indexkit import search_index
from tests.engine.registrykit import Shelf, registry

# Operations whose answers are no JSON.
_OTHERWISE = {
    "/_ping",
    "/containers/{id}/archive",
    "/containers/{id}/attach/ws",
    "/containers/{id}/export",
    "/containers/{id}/logs",
    "/events",
    "/images/get",
    "/images/{name}/get",
    "/plugins/{name}/json",  # There is none.
}
# What davit answers, knowingly, although the newest description has it no more.
_KEPT = {
    # docker-compose 1 does not recreate without the one; docker-py's tests ask for both.
    "/images/{name}/json": ("Container", "ContainerConfig"),
}
_UNKNOWN = "0123456789ab"


@dataclass(frozen=True)
class World:
    """A daemon that has one of everything."""

    davitd: Davitd
    exec_id: str
    registry: str
    index: str

    def client(self, version: str) -> Client:
        return Client(self.davitd.socket, f"v{version}")

    def requests(self, target: str) -> list[str]:
        """Return what to ask for a described path; none when davit does not serve it."""
        concrete = {
            "/info": ["/info"],
            "/version": ["/version"],
            "/containers/json": ["/containers/json?all=1&size=1", "/containers/json"],
            "/containers/{id}/json": [f"/containers/{name}/json?size=1" for name in _CONTAINERS],
            "/containers/{id}/top": ["/containers/running/top", "/containers/paused/top"],
            "/containers/{id}/changes": ["/containers/running/changes"],
            "/containers/{id}/stats": [
                "/containers/running/stats?stream=0&one-shot=1",
                "/containers/created/stats?stream=0",
            ],
            "/distribution/{name}/json": [f"/distribution/{self.registry}/box/json"],
            "/exec/{id}/json": [f"/exec/{self.exec_id}/json"],
            "/images/json": ["/images/json?all=1&shared-size=1"],
            "/images/{name}/json": ["/images/busybox/json"],
            "/images/search": [f"/images/search?term={self.index}/box&limit=3"],
            "/images/{name}/history": ["/images/busybox/history"],
            "/networks": ["/networks"],
            "/networks/{id}": [f"/networks/{name}" for name in ("bridge", "host", "none", "net")],
            "/plugins": ["/plugins"],
            "/system/df": ["/system/df"],
            "/volumes": ["/volumes"],
            "/volumes/{name}": ["/volumes/data"],
        }
        return concrete.get(target, [])

    def unknown(self, target: str) -> str:
        """Return a path in which what varies does not exist; nobody else's registry is asked."""
        if target.startswith("/distribution/"):
            return f"/distribution/{self.registry}/{_UNKNOWN}/json"
        return example(target)


# Container: what is asked for, and what is done to it.
_CONTAINERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "created": ({"Cmd": ["true"]}, ()),
    "running": (
        {
            "Cmd": ["sleep", "600"],
            "Labels": {"a": "b"},
            "Env": ["A=B"],
            "ExposedPorts": {"80/tcp": {}},
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 2},
            "StopSignal": "SIGINT",
            "StopTimeout": 3,
            "HostConfig": {
                "Binds": ["/tmp:/host:ro", "data:/data"],
                "Mounts": [{"Type": "tmpfs", "Target": "/scratch"}],
                "Tmpfs": {"/other": "size=1m"},
                "Memory": 64 << 20,
                "PidsLimit": 50,
                "NanoCpus": 10**9,
                "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}],
                "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
                "Sysctls": {"net.ipv4.ip_forward": "0"},
                "CapAdd": ["NET_ADMIN"],
                "ExtraHosts": ["ship:10.0.0.1"],
                "Dns": ["10.0.0.2"],
                "LogConfig": {"Type": "json-file", "Config": {}},
                "NetworkMode": "net",
            },
            "NetworkingConfig": {"EndpointsConfig": {"net": {"Aliases": ["web"]}}},
        },
        ("start",),
    ),
    "paused": ({"Cmd": ["sleep", "600"], "HostConfig": {}}, ("start", "pause")),
    "exited": ({"Cmd": ["sh", "-c", "exit 3"]}, ("start", "wait")),
    "hosts": ({"Cmd": ["sleep", "600"], "HostConfig": {"NetworkMode": "host"}}, ("start",)),
    # What the Docker CLI sends of an option that nobody gave.
    "cli": (
        {
            "Cmd": ["sleep", "600"],
            "Tty": True,
            "HostConfig": {"MemorySwappiness": -1, "PidsLimit": 0, "NetworkMode": "none"},
        },
        ("start",),
    ),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    description(NEWEST)  # Nothing needs a daemon when there is nothing to hold it against.
    home = tmp_path_factory.mktemp("registry")
    with new_davitd() as davitd, registry(home) as address, search_index() as index:
        Shelf(address, "box").image("latest", busybox())
        davitd.load_busybox()
        client = davitd.client
        assert client.post("/volumes/create", {"Name": "data", "Labels": {"a": "b"}}).status == 201
        net = {
            "Name": "net",
            "Labels": {"a": "b"},
            "Options": {"com.docker.network.driver.mtu": "1400"},
        }
        assert client.post("/networks/create", net).status == 201
        for name, (asked, verbs) in _CONTAINERS.items():
            answer = client.post("/containers/create", {"Image": "busybox", **asked}, name=name)
            assert answer.status == 201, answer.body
            for verb in verbs:
                answer = client.post(f"/containers/{name}/{verb}")
                assert answer.status in (200, 204), answer.body
        run = {"Cmd": ["sleep", "600"], "Env": ["A=B"]}
        exec_id = client.post("/containers/running/exec", run).json["Id"]
        assert client.post(f"/exec/{exec_id}/start", {"Detach": True}).status == 200
        yield World(davitd, exec_id, address, index.address)


def operations(version: str) -> list[tuple[str, str]]:
    """Return what is described and served. Without a description the tests say so themselves."""
    try:
        described = description(version).operations()
    except pytest.skip.Exception:
        return []
    of_managers = [*swarm.of_managers(), ("PUT", "/volumes/{name}")]
    refused = Router(
        [
            *missing.routes(),
            *(Route(method, path, AsyncMock()) for method, path in of_managers),
        ]
    )
    return [
        (method, target)
        for method, target in described
        if refused.find(method, example(target)) is None
    ]


def example(target: str) -> str:
    """Return a path in which every variable part names what does not exist."""
    return re.sub(r"\{\w+\}", _UNKNOWN, target)


def complaints(version: str, method: str, target: str, answer: Answer) -> list[str]:
    body = answer.json
    for field in _KEPT.get(target, ()):
        body.pop(field, None)
    return description(version).complaints(method, target, answer.status, body)


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_everything_that_can_be_asked_for(world: World, version: str) -> None:
    wrong = []
    for method, target in operations(version):
        if method != "GET" or target in _OTHERWISE:
            continue
        asked = world.requests(target)
        assert asked, f"{target} is served: say here what to ask for"
        for path in asked:
            answer = world.client(version).get(path)
            assert answer.status == 200, (path, answer.body)
            wrong += [f"{path}: {text}" for text in complaints(version, method, target, answer)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("version", [NEWEST, OLDEST])
def test_what_does_not_exist(world: World, version: str) -> None:
    """Each operation on an unknown object answers 404, or refuses the request that has no body."""
    wrong = []
    for method, target in operations(version):
        if "{" not in target:
            continue
        answer = world.client(version).request(method, world.unknown(target))
        # A registry is not there to be asked, or a stream not asked for.
        assert answer.status in (400, 404), (method, target, answer.status, answer.body)
        if method != "HEAD":
            texts = complaints(version, method, target, answer)
            wrong += [f"{method} {target}: {text}" for text in texts]
    assert not wrong, "\n".join(wrong)


def test_events(world: World) -> None:
    lines = world.davitd.client.get("/events", since=1, until=time.time()).body.splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["Type"] for row in rows} >= {"container", "image", "network", "volume"}
    for row in rows:
        for old in ("status", "id", "from"):  # Of API 1.21; Docker has them up to 1.51.
            row.pop(old, None)
    known = description(NEWEST)
    wrong = [text for row in rows for text in known.complaints_of("EventMessage", row)]
    assert not wrong, "\n".join(wrong)


# What a definition names and davit's answer has not, each for a reason.
_ABSENT = {
    "SystemInfo": {"Containerd"},  # there is none
    "SystemVersion": {"Experimental"},  # only there when true, as with Docker
    "ImageInspect": {"Descriptor", "Manifests", "OsVersion", "Variant"},
    "ContainerInspectResponse": {"ImageManifestDescriptor", "SizeRw", "SizeRootFs"},
    "ContainerSummary": {"ImageManifestDescriptor", "SizeRw", "SizeRootFs"},
    "ImageSummary": {"Descriptor", "Manifests"},
    "Network": {"Peers"},  # of a swarm
    "ContainerStatsResponse": set(),
}


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ("SystemInfo", "/info"),
        ("SystemVersion", "/version"),
        ("ImageInspect", "/images/busybox/json"),
        ("ImageSummary", "/images/json"),
        ("ContainerInspectResponse", "/containers/running/json"),
        ("ContainerSummary", "/containers/json"),
        ("ContainerStatsResponse", "/containers/running/stats?stream=0&one-shot=1"),
        ("Network", "/networks/net"),
    ],
)
def test_nothing_is_left_out(world: World, definition: str, path: str) -> None:
    found = world.davitd.client.get(path).json
    shown = set(found[0] if isinstance(found, list) else found)
    assert description(NEWEST).fields(definition) - shown - _ABSENT[definition] == set()
