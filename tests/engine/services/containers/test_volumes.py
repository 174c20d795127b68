"""Volumes in real containers: what options mount, what the image puts in, who removes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.sys import mountinfo
from tests.engine.client import Answer, Client
from tests.engine.conftest import Davitd
from tests.engine.imagekit import busybox, directory, docker_archive, layer, member


@pytest.fixture(scope="module")
def client(shared_davitd: Davitd) -> Client:
    """With the image "full", which has files of different owners at /full, and a volume there."""
    files = layer(
        [
            directory("full", 0o2750, uid=1000, gid=2000),
            member("full/file", b"words", mode=0o640, uid=1001, gid=2001),
            member(
                "full/able",
                b"x",
                pax_headers={"SCHILY.xattr.user.colour": "blue"},
            ),
            directory("empty", 0o700, uid=1000),
        ]
    )
    image = busybox("full:latest", extra=[files], Volumes={"/full": {}})
    answer = shared_davitd.client.post("/images/load", docker_archive(image))
    assert b'"error"' not in answer.body, answer.body
    return shared_davitd.client


@pytest.fixture
def volume(client: Client) -> Iterator[str]:
    yield "vol"
    assert client.delete("/volumes/vol").status in (204, 404)


def make(client: Client, **options: str) -> Path:
    made = client.post("/volumes/create", {"Name": "vol", "DriverOpts": options})
    assert made.status == 201, made.message
    assert made.json["Options"] == options
    return Path(made.json["Mountpoint"])


def start(client: Client, **mount: Any) -> Answer:
    """Create a container with the volume at /x, try to start it, and remove it."""
    wish = {"Type": "volume", "Source": "vol", "Target": "/x", **mount}
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Mounts": [wish]}}
    made = client.post("/containers/create", body)
    if made.status != 201:
        return made
    box = made.json["Id"]
    answer = client.post(f"/containers/{box}/start")
    client.delete(f"/containers/{box}", force=True, v=True)
    return answer


@pytest.mark.usefixtures("volume")
def test_a_bind_by_options(shared_davitd: Davitd, client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the host\n")
    place = make(client, type="none", o="bind,ro", device=str(tmp_path))
    docker = shared_davitd.docker
    assert docker("run", "--rm", "-v", "vol:/x", "busybox", "cat", "/x/file").stdout == (
        b"of the host\n"
    )
    refused = docker("run", "--rm", "-v", "vol:/x", "busybox", "touch", "/x/new", check=False)
    assert b"Read-only file system" in refused.stderr
    assert not mountinfo.is_mounted(place)
    client.delete("/volumes/vol")
    assert (tmp_path / "file").exists()


@pytest.mark.usefixtures("volume")
def test_a_tmpfs_by_options(shared_davitd: Davitd, client: Client) -> None:
    place = make(client, type="tmpfs", device="tmpfs", o="size=1m,uid=1000,mode=0700")
    docker = shared_davitd.docker
    docker("run", "-d", "--name", "one", "-v", "vol:/x", "busybox", "sleep", "600")
    shown = docker("exec", "one", "sh", "-c", "stat -c '%u %a' /x; df -k /x | tail -1; date >/x/f")
    assert shown.stdout.startswith(b"1000 700\ntmpfs ")
    assert shown.stdout.split()[3] == b"1024"
    docker("run", "--rm", "-v", "vol:/x", "busybox", "test", "-s", "/x/f")  # one mount for both
    assert mountinfo.is_mounted(place)
    docker("rm", "-f", "one")
    assert not mountinfo.is_mounted(place)
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"type": "nfs", "o": "addr=nas.invalid,rw", "device": ":/export"},
            ["error resolving passed in network volume address", "volume vol, o=addr=nas.invalid"],
        ),
        (
            {"type": "nosuchfs", "o": "rw", "device": "/dev/null"},
            ["failed to mount local volume: mount /dev/null", 'option "type" of volume vol'],
        ),
        (
            {"type": "none", "o": "bind", "device": "/not/there"},
            ["no such file or directory", 'option "device" of volume vol'],
        ),
        (
            {"type": "tmpfs", "o": "colour=blue", "device": "tmpfs"},
            ["data: colour=blue: invalid argument", 'option "o" of volume vol'],
        ),
    ],
)
def test_what_cannot_be_mounted(client: Client, options: dict[str, str], words: list[str]) -> None:
    place = make(client, **options)
    answer = start(client)
    assert answer.status == 500
    assert answer.message.startswith(f"error while mounting volume '{place}': ")
    for text in words:
        assert text in answer.message


def test_bad_options_name_volume_and_option(client: Client) -> None:
    for options, words in (
        ({"colour": "blue"}, 'create vol: invalid option: "colour"'),
        ({"size": "1g"}, "create vol: quota size requested but no quota support"),
        ({"type": "tmpfs"}, 'create vol: missing required option: "device"'),
    ):
        driver = {"DriverConfig": {"Name": "local", "Options": options}}
        for answer in (
            client.post("/volumes/create", {"Name": "vol", "DriverOpts": options}),
            start(client, VolumeOptions=driver),
        ):
            assert answer.status == 400
            assert answer.message.startswith(words)
    assert client.get("/volumes/vol").status == 404


def test_volumes_made_by_a_container(client: Client) -> None:
    options = {
        "Labels": {"a": "1"},
        "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs"}},
    }
    assert start(client, VolumeOptions=options).status == 204
    shown = client.get("/volumes/vol").json
    assert shown["Labels"] == {"a": "1"}
    assert shown["Options"] == {"type": "tmpfs", "device": "tmpfs"}
    assert client.delete("/volumes/vol").status == 204


def test_a_new_volume_gets_what_the_image_has(shared_davitd: Davitd, client: Client) -> None:
    docker = shared_davitd.docker
    docker("create", "--name", "filled", "-v", "vol:/full", "-v", "bare:/empty", "full")
    place = Path(client.get("/volumes/vol").json["Mountpoint"])
    info = place.stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (1000, 2000, 0o2750)
    info = (place / "file").stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (1001, 2001, 0o640)
    assert os.getxattr(place / "able", "user.colour") == b"blue"
    bare = Path(client.get("/volumes/bare").json["Mountpoint"]).stat()
    assert (bare.st_uid, bare.st_mode & 0o7777) == (1000, 0o700)
    # Once only: what its users made of it stays.
    (place / "file").write_text("changed")
    (place / "able").unlink()
    shown = docker("run", "--rm", "-v", "vol:/full", "full", "sh", "-c", "ls /full; cat /full/file")
    assert shown.stdout == b"file\nchanged"
    docker("rm", "filled")
    docker("volume", "rm", "vol", "bare")


def test_a_volume_that_is_not_to_be_filled(shared_davitd: Davitd, client: Client) -> None:
    docker = shared_davitd.docker
    assert docker("run", "--rm", "-v", "vol:/full:nocopy", "full", "ls", "/full").stdout == b""
    mount = "type=volume,src=vol,dst=/full,volume-nocopy"
    assert docker("run", "--rm", "--mount", mount, "full", "ls", "/full").stdout == b""
    assert client.delete("/volumes/vol").status == 204


@pytest.mark.usefixtures("volume")
def test_a_directory_of_the_host_is_filled_too(
    shared_davitd: Davitd, client: Client, tmp_path: Path
) -> None:
    place = make(client, type="none", o="bind", device=str(tmp_path))
    shared_davitd.docker("create", "--name", "filled", "-v", "vol:/full", "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["able", "file"]
    assert not mountinfo.is_mounted(place)
    shared_davitd.docker("rm", "filled")


def test_anonymous_volumes_go_with_their_container(shared_davitd: Davitd, client: Client) -> None:
    docker = shared_davitd.docker

    def names() -> set[str]:
        return {row["Name"] for row in client.get("/volumes").json["Volumes"]}

    before = names()
    docker("run", "--rm", "full", "true")
    docker("run", "--rm", "-v", "/own", "-v", "named:/named", "busybox", "true")
    assert names() == before | {"named"}
    # Without -v they stay; who names one keeps it, and so does who takes it over.
    docker("create", "--name", "one", "full")
    (anonymous,) = names() - before - {"named"}
    labels = client.get(f"/volumes/{anonymous}").json["Labels"]
    assert labels == {"com.docker.volume.anonymous": ""}
    filters = {"label": ["com.docker.volume.anonymous"], "dangling": ["false"]}
    found = client.get("/volumes", filters=filters).json["Volumes"]
    assert [row["Name"] for row in found] == [anonymous]
    docker("run", "--rm", "-v", f"{anonymous}:/x", "busybox", "test", "-e", "/x/file")
    docker("create", "--name", "two", "--volumes-from", "one", "busybox")
    docker("rm", "-v", "one")
    assert anonymous in names()
    docker("rm", "-v", "two")
    assert names() == before | {"named"}
    docker("volume", "rm", "named")


def test_volumes_of_others(shared_davitd: Davitd, tmp_path: Path) -> None:
    docker = shared_davitd.docker
    binds = ["-v", "vol:/v", "-v", f"{tmp_path}:/b", "-v", "kept:/r:ro", "--tmpfs", "/t"]
    docker("create", "--name", "donor", *binds, "busybox")
    script = "touch /v/f /b/f; touch /r/f || echo r; test -e /t || echo t"

    def run(mode: str) -> list[bytes]:
        taken = docker("run", "--rm", f"--volumes-from=donor{mode}", "busybox", "sh", "-c", script)
        return taken.stdout.split() + [
            line.split(b"/")[1] for line in taken.stderr.splitlines() if b"/v" in line
        ]

    assert run("") == [b"r", b"t"]
    assert run(":rw") == [b"r", b"t"]  # never more than the donor may
    assert run(":ro") == [b"r", b"t", b"v"]
    refused = docker("create", "--volumes-from=donor:odd", "busybox", check=False)
    assert b"invalid mode: odd" in refused.stderr
    docker("rm", "donor")
    docker("volume", "rm", "vol", "kept")


@pytest.mark.usefixtures("volume")
def test_what_options_mount_is_not_davits_to_count(client: Client, tmp_path: Path) -> None:
    make(client, type="none", o="bind", device=str(tmp_path))
    (tmp_path / "file").write_bytes(b"x" * 8192)
    assert client.get("/system/df", type="volume").json["Volumes"] == []
    pruned = client.post("/volumes/prune", filters={"all": ["1"]})
    assert pruned.json == {"VolumesDeleted": None, "SpaceReclaimed": 0}
    assert client.get("/volumes/vol").status == 200


def test_cluster_volumes_need_a_swarm(shared_davitd: Davitd, client: Client) -> None:
    spec = {"Name": "vol", "ClusterVolumeSpec": {"AccessMode": {"Scope": "single"}}}
    refused = client.post("/volumes/create", spec)
    assert refused.status == 503
    assert refused.message.startswith("This node is not a swarm manager.")
    updated = client.request("PUT", "/volumes/vol", {"Spec": {}}, query={"version": 1})
    assert updated.status == 503
    assert updated.message == (
        "volume update only valid for cluster volumes, but swarm is unavailable"
    )
    mounted = start(client, Type="cluster")
    assert mounted.status == 400
    assert mounted.message == 'invalid mount config for type "cluster": mount type unknown'
    # Older clients know of none, and get a volume of this host.
    old = Client(shared_davitd.socket, "v1.41")
    assert old.post("/volumes/create", spec).status == 201
    assert client.delete("/volumes/vol").status == 204
