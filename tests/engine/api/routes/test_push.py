"""Pushing through the API, and with Docker's CLI."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.engine.conftest import Davitd
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def test_stream_and_event(shared_davitd: Davitd, address: str) -> None:
    client, name = shared_davitd.client, f"{address}/team/box"
    client.post("/images/busybox/tag", repo=name, tag="1")
    since = client.get("/info").json["SystemTime"]
    answer = client.post(f"/images/{name}/push", tag="1")
    assert answer.status == 200
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert lines[0] == {"status": f"The push refers to repository [{name}]"}
    body = Shelf(address, "team/box").raw("1")
    aux = lines[-1]["aux"]
    assert (aux["Tag"], aux["Size"]) == ("1", len(body))
    assert lines[-2] == {"status": f"1: digest: {aux['Digest']} size: {len(body)}"}
    until = client.get("/info").json["SystemTime"]
    events = client.get("/events", since=since, until=until).body.splitlines()
    (event,) = [line for line in map(json.loads, events) if line["Action"] == "push"]
    assert event["Actor"] == {"ID": f"{name}:1", "Attributes": {"name": name}}
    assert client.post(f"/images/{name}/push", tag="2").status == 404


def test_docker_push(shared_davitd: Davitd, tmp_path_factory: pytest.TempPathFactory) -> None:
    with registry(tmp_path_factory.mktemp("guarded"), auth=True) as guarded:
        name = f"{guarded}/box:1"
        shared_davitd.docker("tag", "busybox", name)
        done = shared_davitd.docker("push", name, check=False)
        assert b"no basic auth credentials" in done.stderr
        words = ("login", "-u", USER, "--password-stdin", guarded)
        shared_davitd.docker(*words, stdin=PASSWORD.encode())
        done = shared_davitd.docker("push", name)
        assert b"1: digest: sha256:" in done.stdout
        shared_davitd.docker("rmi", name)
        shared_davitd.docker("pull", name)
        shared_davitd.docker("logout", guarded)
