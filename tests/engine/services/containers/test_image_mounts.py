"""Images mounted in real containers: ``Mounts`` of type ``image``."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.client import Answer, Client
from tests.engine.compat.cli import needs
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.imagekit import Built, directory, docker_archive, layer, member

_LOWER = layer([directory("a"), member("a/file", b"lower\n"), member("gone", b"x")])
_UPPER = layer([member("a/file", b"upper\n", uid=1000), member(".wh.gone")])


def load(davitd: Davitd) -> Client:
    """The images data (two layers) and flat (one)."""
    images = (
        Built(layers=[_LOWER, _UPPER], tags=["data:latest"]),
        Built(layers=[_LOWER], tags=["flat:latest"]),
    )
    answer = davitd.client.post("/images/load", docker_archive(*images))
    assert b'"error"' not in answer.body, answer.body
    return davitd.client


@pytest.fixture(scope="module")
def client(shared_davitd: Davitd) -> Client:
    return load(shared_davitd)


def create(client: Client, *command: str, subpath: str = "", **fields: Any) -> Answer:
    wish = {"Type": "image", "Source": "data", "Target": "/x", **fields}
    if subpath:
        wish["ImageOptions"] = {"Subpath": subpath}
    body = {"Image": "busybox", "Cmd": command, "HostConfig": {"Mounts": [wish]}}
    return client.post("/containers/create", body)


def run(davitd: Davitd, *command: str, **fields: Any) -> str:
    made = create(davitd.client, *command, **fields)
    assert made.status == 201, made.message
    box = made.json["Id"]
    done = davitd.docker("start", "-a", box, check=False)
    davitd.docker("rm", box)
    return (done.stdout + done.stderr).decode()


@pytest.mark.usefixtures("client")
def test_an_image_is_mounted(shared_davitd: Davitd) -> None:
    script = "cat /x/a/file; stat -c %u /x/a/file; ls /x; touch /x/new"
    shown = run(shared_davitd, "sh", "-c", script)
    assert shown.startswith("upper\n1000\na\n")
    assert shown.endswith("touch: /x/new: Read-only file system\n")
    # Also when it is not asked for to be read-only, and of a single layer.
    flat = run(shared_davitd, "sh", "-c", script, Source="flat", ReadOnly=False)
    assert flat.startswith("lower\n0\na\ngone\n")
    assert "Read-only file system" in flat


@pytest.mark.usefixtures("client")
def test_a_part_of_an_image(shared_davitd: Davitd) -> None:
    assert run(shared_davitd, "cat", "/x/file", subpath="a") == "upper\n"
    assert run(shared_davitd, "cat", "/x", subpath="a/file") == "upper\n"


@pytest.mark.usefixtures("client")
@needs(28)
def test_the_same_image_twice_and_from_another(shared_davitd: Davitd) -> None:
    docker = shared_davitd.docker
    mounts = ["--mount", "type=image,src=data,dst=/x", "--mount", "type=image,src=data,dst=/y"]
    script = "cat /x/a/file /y/a/file"
    shown = docker("run", "--name", "one", *mounts, "busybox", "sh", "-c", script)
    assert shown.stdout == b"upper\nupper\n"
    taken = docker("run", "--rm", "--volumes-from", "one", "busybox", "sh", "-c", script)
    assert taken.stdout == b"upper\nupper\n"
    assert b"upper\n" in docker("cp", "one:/x/a/file", "-").stdout
    docker("rm", "one")


def test_what_inspect_shows(client: Client) -> None:
    box = create(client, "true").json["Id"]
    shown = client.get(f"/containers/{box}/json").json
    (point,) = shown["Mounts"]
    assert point.pop("Source").endswith(f"/{box}/images/0")
    assert point == {
        "Type": "image",
        "Name": "data",
        "Destination": "/x",
        "Mode": "",
        "RW": False,
        "Propagation": "",
    }
    assert shown["HostConfig"]["Mounts"][0]["Source"] == "data"
    client.delete(f"/containers/{box}")


def test_the_image_stays_while_it_is_mounted(client: Client) -> None:
    box = create(client, "cat", "/x/file", subpath="a").json["Id"]
    refused = client.delete("/images/data")
    assert refused.status == 409
    assert f"container {box[:12]} is using its referenced image" in refused.message
    assert client.post("/images/prune", filters={"dangling": ["0"]}).status == 200
    assert client.get("/images/data/json").status == 200
    # By force the name goes; what the container needs of it stays until that is removed.
    assert client.delete("/images/data", force=True).status == 200
    assert client.post(f"/containers/{box}/start").status == 204
    assert client.post(f"/containers/{box}/wait").json["StatusCode"] == 0
    assert client.delete(f"/containers/{box}").status == 204


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Source": "nope"}, "No such image: nope:latest"),
        ({"Source": ""}, 'invalid mount config for type "image": field Source must not be empty'),
        ({"subpath": "../x"}, "subpath must be a relative path within the volume"),
        ({"VolumeOptions": {}}, "field VolumeOptions must not be specified"),
        ({"Type": "bind", "Source": "/", "subpath": "a"}, "field ImageOptions must not be"),
    ],
)
def test_refusals(shared_davitd: Davitd, fields: dict[str, Any], words: str) -> None:
    refused = create(load(shared_davitd), "true", **fields)
    assert refused.status == 400
    assert words in refused.message


def test_a_missing_part(shared_davitd: Davitd) -> None:
    client = load(shared_davitd)
    box = create(client, "true", subpath="not/there").json["Id"]
    started = client.post(f"/containers/{box}/start")
    assert started.status == 400
    assert started.message.endswith("no such file or directory: the image data has no not/there")
    client.delete(f"/containers/{box}")


@needs(28)
def test_after_kill_9() -> None:
    """A running container keeps its mount, which goes with it."""
    with new_davitd() as davitd:
        davitd.load_busybox()
        load(davitd)
        wish = "type=image,src=data,dst=/x"
        davitd.docker("run", "-d", "--name", "one", "--mount", wish, "busybox", "sleep", "600")
        davitd.kill()
        davitd.start()
        assert davitd.docker("exec", "one", "cat", "/x/a/file").stdout == b"upper\n"
        davitd.docker("rm", "-f", "one")
        end = time.monotonic() + 30  # it is taken down after the answer
        while found := [line for line in davitd.left_behind() if "/images/" in line]:
            assert time.monotonic() < end, found
            time.sleep(0.05)
