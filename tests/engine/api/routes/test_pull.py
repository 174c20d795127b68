"""Pulling through the API, and with Docker's CLI."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.model.registry import Credentials
from tests.engine.client import UnixConnection
from tests.engine.conftest import Davitd
from tests.engine.imagekit import Built, busybox, digest, files
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry

IMAGE = busybox(extra=[files({"a": "b"})], Labels={"kind": "test"})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        Shelf(found, "box").image("1", IMAGE)
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("guarded"), auth=True) as found:
        shelf = Shelf(found, "box", {"Authorization": Credentials(USER, PASSWORD).basic})
        shelf.image("1", IMAGE)
        yield found


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def test_stream_and_event(shared_davitd: Davitd, address: str) -> None:
    client, name = shared_davitd.client, f"{address}/box"
    since = client.get("/info").json["SystemTime"]
    answer = client.post("/images/create", fromImage=name, tag="1")
    assert answer.status == 200
    shown = lines(answer.body)
    assert shown[0] == {"status": "Pulling from box", "id": "1"}
    layers = [line for line in shown if line["status"] == "Pulling fs layer"]
    assert [set(line) for line in layers] == [{"status", "progressDetail", "id"}] * 2
    made = client.get(f"/images/{name}:1/json").json
    assert made["Id"] == IMAGE.id
    assert made["RepoTags"] == [f"{name}:1"]
    (digest,) = made["RepoDigests"]
    assert {"status": f"Digest: {digest.partition('@')[2]}"} in shown
    until = client.get("/info").json["SystemTime"]
    found = lines(client.get("/events", since=since, until=until).body)
    (event,) = [line for line in found if line["Action"] == "pull"]
    assert event["Actor"] == {"ID": f"{name}:1", "Attributes": {"kind": "test", "name": name}}
    assert shared_davitd.docker("run", "--rm", digest, "cat", "/a").stdout == b"b"


def test_docker_pull(shared_davitd: Davitd, address: str, guarded: str) -> None:
    done = shared_davitd.docker("pull", f"{address}/box:1")
    assert b"Pulling from box" in done.stdout
    assert b"Status: " in done.stdout
    done = shared_davitd.docker("pull", f"{address}/box:2", check=False)
    assert f"manifest for {address}/box:2 not found: manifest unknown".encode() in done.stderr
    done = shared_davitd.docker("pull", f"{guarded}/box:1", check=False)
    assert b"no basic auth credentials" in done.stderr
    shared_davitd.docker("login", "-u", USER, "--password-stdin", guarded, stdin=PASSWORD.encode())
    shared_davitd.docker("pull", f"{guarded}/box:1")
    # What is not there is pulled, and then run.
    shared_davitd.docker("rmi", f"{guarded}/box:1")
    done = shared_davitd.docker("run", "--rm", f"{guarded}/box:1", "cat", "/a")
    assert done.stdout == b"b"
    shared_davitd.docker("logout", guarded)


def test_all_tags(shared_davitd: Davitd, address: str) -> None:
    shelf, name = Shelf(address, "team/fleet"), f"{address}/team/fleet"
    for tag in ("1", "2"):
        shelf.image(tag, busybox(extra=[files({"tag": tag})]))
    done = shared_davitd.docker("pull", "--all-tags", name)
    assert b"2: Pulling from team/fleet" in done.stdout
    assert f"Status: Downloaded newer image for {name}".encode() in done.stdout
    for tag in ("1", "2"):
        assert shared_davitd.client.get(f"/images/{name}:{tag}/json").status == 200
    # Without the flag it is the tag "latest" that the CLI asks for.
    assert shared_davitd.docker("pull", name, check=False).returncode


def test_distribution(shared_davitd: Davitd, address: str, guarded: str) -> None:
    client, shelf = shared_davitd.client, Shelf(address, "box")
    body = shelf.raw("1")
    found = client.get(f"/distribution/{address}/box:1/json").json
    assert found["Descriptor"] == {
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": digest(body),
        "size": len(body),
    }
    assert found["Platforms"] == [dict(IMAGE.platform)]
    other = Built(layers=[], platform={"os": "linux", "architecture": "arm", "variant": "v7"})
    made = shelf.index("many", IMAGE, other)
    found = client.get(f"/distribution/{address}/box:many/json").json
    assert found["Descriptor"]["digest"] == made
    assert found["Platforms"] == [dict(IMAGE.platform), dict(other.platform)]
    answer = client.get(f"/distribution/{address}/box:2/json")
    assert answer.status == 404
    assert answer.message.startswith(f"manifest for {address}/box:2 not found")
    assert client.get(f"/distribution/{guarded}/box:1/json").status == 403


def test_what_is_refused(shared_davitd: Davitd, address: str) -> None:
    client = shared_davitd.client
    for query, status in (
        ({"fromImage": f"{address}/box", "tag": "2"}, 404),
        ({"fromImage": "a/UPPER"}, 400),
        ({"fromImage": f"{address}/box", "tag": "sha256:12"}, 400),
        ({"fromImage": f"{address}/box:1", "platform": "a/b/c/d"}, 400),
        ({"fromImage": "127.0.0.1:1/box"}, 503),
    ):
        assert client.post("/images/create", **query).status == status, query


def test_credentials_that_cannot_be_read(shared_davitd: Davitd, address: str) -> None:
    def pull(header: str) -> int:
        connection = UnixConnection(shared_davitd.socket)
        path = f"/images/create?fromImage={address}/box:1"
        connection.request("POST", path, headers={"X-Registry-Auth": header})
        status = connection.getresponse().status
        connection.close()
        return status

    assert pull(base64.urlsafe_b64encode(b"{}").decode()) == 200
    assert pull(base64.urlsafe_b64encode(b"null").decode()) == 200
    assert pull(base64.urlsafe_b64encode(b"[1").decode()) == 400
    assert pull("!") == 400


def test_nothing_is_left(shared_davitd: Davitd) -> None:
    ingest: Path = shared_davitd.data / "ingest"
    assert list(ingest.iterdir()) == []
