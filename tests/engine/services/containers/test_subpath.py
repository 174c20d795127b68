"""Parts of volumes in real containers: ``VolumeOptions.Subpath``."""

from __future__ import annotations

from typing import Any

import pytest

from davit.store.paths import Paths
from tests.engine.client import Answer, Client
from tests.engine.conftest import Davitd

FILL = (
    "mkdir -p /v/a/b; echo whole >/v/file; echo part >/v/a/b/file; echo own >/v/passwd;"
    "ln -s /passwd /v/absolute; ln -s ../../../../../../passwd /v/climbing; ln -s a/b /v/within;"
    "ln -s /etc /v/outside"
)


@pytest.fixture(scope="module")
def client(shared_davitd: Davitd) -> Client:
    shared_davitd.docker("run", "--rm", "--volume=parted:/v", "busybox", "sh", "-c", FILL)
    return shared_davitd.client


def create(client: Client, subpath: str, *command: str, **mount: Any) -> Answer:
    wish = {
        "Type": "volume",
        "Source": "parted",
        "Target": "/x",
        "VolumeOptions": {"Subpath": subpath},
        **mount,
    }
    body = {"Image": "busybox", "Cmd": command, "HostConfig": {"Mounts": [wish]}}
    return client.post("/containers/create", body)


def run(davitd: Davitd, subpath: str, *command: str, **mount: Any) -> str:
    box = create(davitd.client, subpath, *command, **mount).json["Id"]
    started = davitd.client.post(f"/containers/{box}/start")
    assert started.status == 204, started.message
    davitd.client.post(f"/containers/{box}/wait")
    log = davitd.docker("logs", box)
    davitd.client.delete(f"/containers/{box}")
    return (log.stdout + log.stderr).decode()


@pytest.mark.usefixtures("client")
def test_a_part_is_mounted(shared_davitd: Davitd) -> None:
    assert run(shared_davitd, "a/b", "cat", "/x/file") == "part\n"
    assert run(shared_davitd, "./a/../file", "cat", "/x") == "whole\n"
    assert run(shared_davitd, "within", "cat", "/x/file") == "part\n"
    assert "Read-only" in run(shared_davitd, "a/b", "touch", "/x/new", ReadOnly=True)
    assert list(Paths(shared_davitd.data, shared_davitd.run).idmapped.iterdir()) == []


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("link", ["absolute", "climbing"])
def test_links_stay_within_the_volume(shared_davitd: Davitd, link: str) -> None:
    assert run(shared_davitd, link, "cat", "/x") == "own\n"


@pytest.mark.parametrize("missing", ["nothing", "outside", "outside/passwd", "file/below"])
def test_what_the_volume_does_not_have(client: Client, missing: str) -> None:
    box = create(client, missing, "true").json["Id"]
    started = client.post(f"/containers/{box}/start")
    assert started.status == 400
    assert started.message.startswith("cannot access path ")
    assert f"/parted/_data/{missing}: no" in started.message
    client.delete(f"/containers/{box}")


@pytest.mark.parametrize("wrong", ["/a", "..", "a/../../b", "../../etc/passwd"])
def test_only_relative_paths_within(client: Client, wrong: str) -> None:
    answer = create(client, wrong, "true")
    assert answer.status == 400
    assert answer.message.endswith("subpath must be a relative path within the volume")


def test_anonymous_volumes_have_no_parts(client: Client) -> None:
    answer = create(client, "a", "true", Source="")
    assert answer.status == 400
    assert answer.message.endswith("must not set Subpath when using anonymous volumes")


def test_another_container_gets_the_same_part(client: Client, shared_davitd: Davitd) -> None:
    box = create(client, "a/b", "true").json["Id"]
    shown = shared_davitd.docker("run", "--rm", f"--volumes-from={box}", "busybox", "ls", "/x")
    assert shown.stdout == b"file\n"
    copied = shared_davitd.docker("cp", f"{box}:/x/file", "-")  # it has never run
    assert b"part\n" in copied.stdout
    client.delete(f"/containers/{box}")
