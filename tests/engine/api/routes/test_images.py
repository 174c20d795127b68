"""The images' routes on a real service, over a socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from davit.api.routes import image_transfer, images
from davit.api.routing import Route
from davit.model.container import Status
from tests.engine.client import Answer, Client
from tests.engine.imagekit import Built, busybox, docker_archive, files
from tests.engine.services.images.conftest import EMPTY, Kit

Serve = Callable[[Iterable[Route]], Awaitable[Path]]


class Api:
    def __init__(self, path: Path, kit: Kit) -> None:
        self.path = path
        self.kit = kit

    async def __call__(
        self, method: str, path: str, body: Any = None, version: str = "v1.51", **query: Any
    ) -> Answer:
        client = Client(self.path, version)
        return await asyncio.to_thread(client.request, method, path, body, query=query)

    async def load(self, *built: Built, **query: Any) -> list[dict[str, Any]]:
        answer = await self("POST", "/images/load", docker_archive(*built), **query)
        assert answer.status == 200
        return lines(answer)


def _wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.body.splitlines()]


@pytest.fixture
async def api(serve: Serve, tmp_path: Path) -> AsyncIterator[Api]:
    kit = Kit(tmp_path)
    await kit.start()
    yield Api(
        await serve([*images.routes(kit.images), *image_transfer.routes(kit.images, Mock())]), kit
    )
    await kit.stop()


async def test_import(api: Api) -> None:
    data = gzip.compress(files({"a": "1"}))
    query = {"fromSrc": "-", "repo": "team/box", "tag": "1", "changes": "CMD sh"}
    answer = await api("POST", "/images/create", data, **query)
    assert answer.status == 200
    image = api.kit.images.resolve("team/box:1")
    assert lines(answer) == [{"status": image.id}]
    assert image.config.config.cmd == ["/bin/sh", "-c", "sh"]


@pytest.mark.parametrize(
    ("query", "body", "status", "message"),
    [
        ({"fromSrc": "http://example.com/x.tar"}, b"", 501, "request's body only"),
        ({"fromSrc": "-", "repo": "UPPER"}, b"", 400, "must be lowercase"),
        ({"fromSrc": "-", "repo": "a", "tag": "!"}, b"", 400, "invalid tag format"),
        ({"fromSrc": "-"}, b"no tar" * 99, 400, "not a tar archive"),
        ({"fromSrc": "-", "changes": "RUN x"}, b"", 400, "RUN is not a valid change"),
    ],
)
async def test_bad_imports(
    api: Api, query: dict[str, str], body: bytes, status: int, message: str
) -> None:
    answer = await api("POST", "/images/create", body, **query)
    assert answer.status == status
    assert message in answer.message
    assert await api.kit.contents() == EMPTY


async def test_load(api: Api) -> None:
    told = await api.load(busybox("box:1"))
    assert [line["status"] for line in told[:-1]] == ["Loading layer"]
    assert told[-1] == {"stream": "Loaded image: box:1\n"}
    assert await api.load(busybox("box:1"), quiet=True) == [{"stream": "Loaded image: box:1\n"}]


async def test_an_error_behind_progress_is_the_last_line(api: Api) -> None:
    archive = docker_archive(busybox("box:1"))
    answer = await api("POST", "/images/load", archive[: archive.index(b"manifest.json")])
    assert answer.status == 200
    assert "status" in lines(answer)[0]
    last = lines(answer)[-1]
    assert "neither manifest.json" in last["error"]
    assert last["errorDetail"] == {"code": 400, "message": last["error"]}
    assert await api.kit.contents() == EMPTY


async def test_an_error_before_progress_is_the_answer(api: Api) -> None:
    answer = await api("POST", "/images/create", b"no tar" * 99, fromSrc="-")
    assert answer.status == 400
    assert "not a tar archive" in answer.message


async def test_an_error_of_load_is_always_a_line(api: Api) -> None:
    answer = await api("POST", "/images/load", b"no tar" * 99)
    assert answer.status == 200
    assert "not a tar archive" in lines(answer)[0]["error"]


async def test_a_client_that_goes_away_leaves_nothing(api: Api) -> None:
    archive = docker_archive(busybox("box:1"))
    reader, writer = await asyncio.open_unix_connection(api.path)
    head = f"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: {len(archive)}\r\n\r\n"
    writer.write(head.encode() + archive[: len(archive) // 2])
    await writer.drain()
    await asyncio.to_thread(_wait_for, lambda: os.listdir(api.kit.paths.ingest))
    writer.close()
    await reader.read()
    await asyncio.to_thread(_wait_for, lambda: not os.listdir(api.kit.paths.ingest))
    assert await api.kit.contents() == EMPTY


async def test_list(api: Api) -> None:
    await api.load(busybox("box:1", "team/box:2", Labels={"a": "1"}), Built([files({"x": "1"})]))
    found = {entry["Id"]: entry for entry in (await api("GET", "/images/json")).json}
    image = api.kit.images.resolve("box:1")
    assert found[image.id] == {
        "Containers": -1,
        "Created": 1704067200,
        "Id": image.id,
        "Labels": {"a": "1"},
        "ParentId": "",
        "RepoDigests": [],
        "RepoTags": ["box:1", "team/box:2"],
        "SharedSize": -1,
        "Size": image.size,
    }
    answer = await api("GET", "/images/json", filters={"dangling": ["true"]}, version="v1.42")
    assert answer.json[0]["RepoTags"] == ["<none>:<none>"]
    assert answer.json[0]["VirtualSize"] == 1
    answer = await api("GET", "/images/json", filters={"colour": ["red"]})
    assert answer.status == 400
    assert "invalid filter 'colour'" in answer.message


async def test_inspect(api: Api) -> None:
    await api.load(busybox("team/box:1", extra=[files({"a": "1"})], Labels={"a": "1"}))
    image = api.kit.images.resolve("team/box:1")
    shown = (await api("GET", "/images/team/box:1/json")).json
    bottom, top = map(str, api.kit.images.directories(image.layers))
    assert shown["Metadata"].pop("LastTagTime").startswith("20")
    assert shown.pop("ContainerConfig").items() >= shown["Config"].items()
    assert shown.pop("Container") == ""
    assert shown == {
        "Id": image.id,
        "RepoTags": ["team/box:1"],
        "RepoDigests": [],
        "Parent": "",
        "Comment": "",
        "Created": "2024-01-01T00:00:00Z",
        "DockerVersion": "",
        "Author": "",
        "Config": {
            "Cmd": ["sh"],
            "Entrypoint": None,
            "Env": ["PATH=/bin"],
            "Labels": {"a": "1"},
            "OnBuild": None,
            "User": "",
            "Volumes": None,
            "WorkingDir": "",
        },
        "Architecture": image.config.architecture,
        "Os": "linux",
        "Size": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": {"LowerDir": bottom, "UpperDir": top}},
        "RootFS": {"Type": "layers", "Layers": image.layers},
        "Metadata": {},
    }
    old = (await api("GET", "/images/team/box:1/json", version="v1.24")).json
    assert old["VirtualSize"] == image.size
    assert old["ContainerConfig"]["Cmd"] == ["sh"]
    assert old["Config"]["Hostname"] == ""


async def test_history(api: Api) -> None:
    await api.load(busybox("box:1", extra=[files({"a": "1"})]))
    image = api.kit.images.resolve("box:1")
    first, second = (await api("GET", "/images/box:1/history")).json
    assert first == {
        "Comment": "",
        "Created": 1704067200,
        "CreatedBy": "layer 1",
        "Id": image.id,
        "Size": 1,
        "Tags": ["box:1"],
    }
    assert (second["Id"], second["Tags"]) == ("<missing>", None)


async def test_tag(api: Api) -> None:
    await api.load(busybox("box:1"))
    answer = await api("POST", "/images/box:1/tag", repo="registry.example.com:5000/a/b", tag="2")
    assert answer.status == 201
    image = api.kit.images.resolve("registry.example.com:5000/a/b:2")
    assert image.tags == ("box:1", "registry.example.com:5000/a/b:2")
    assert api.kit.actions()[-1] == ("tag", "registry.example.com:5000/a/b:2")


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("/images/none/tag", {"repo": "x"}, 404, "No such image: none:latest"),
        ("/images/box:1/tag", {}, 400, "repo is missing"),
        ("/images/box:1/tag", {"repo": "X"}, 400, "lowercase"),
        ("/images/box:1/tag", {"repo": "x", "tag": "a b"}, 400, "invalid tag format"),
    ],
)
async def test_bad_tags(
    api: Api, path: str, query: dict[str, str], status: int, message: str
) -> None:
    await api.load(busybox("box:1"))
    answer = await api("POST", path, **query)
    assert answer.status == status
    assert message in answer.message


async def test_remove(api: Api) -> None:
    await api.load(busybox("team/box:1"))
    image = api.kit.images.resolve("team/box:1")
    container = api.kit.use(image, Status.RUNNING)
    answer = await api("DELETE", "/images/team/box:1")
    assert answer.status == 409
    assert container.id[:12] in answer.message
    api.kit.containers.clear()
    answer = await api("DELETE", "/images/team/box:1")
    assert answer.json[:2] == [{"Untagged": "team/box:1"}, {"Deleted": image.id}]
    answer = await api("DELETE", "/images/team/box:1")
    assert (answer.status, answer.message) == (404, "No such image: team/box:1")


async def test_prune(api: Api) -> None:
    await api.load(Built([files({"a": "12345"})]))
    answer = await api("POST", "/images/prune")
    assert answer.json["SpaceReclaimed"] == 5
    assert len(answer.json["ImagesDeleted"]) == 2
    answer = await api("POST", "/images/prune")
    assert answer.json == {"ImagesDeleted": None, "SpaceReclaimed": 0}


async def test_save(api: Api) -> None:
    await api.load(busybox("team/box:1"), busybox("two:1", Env=["A=1"]))
    one = await api("GET", "/images/team/box:1/get")
    assert one.headers["Content-Type"] == "application/x-tar"
    both = await api("GET", "/images/get", names="team/box:1,two:1")
    for tag in ("team/box:1", "two:1"):
        await api("DELETE", f"/images/{tag}")
    assert await api.kit.contents() == EMPTY
    answer = await api("POST", "/images/load", both.body, quiet=True)
    assert len(lines(answer)) == 2
    answer = await api("GET", "/images/none/get")
    assert (answer.status, answer.message) == (404, "No such image: none:latest")
    assert (await api("GET", "/images/get")).status == 400
