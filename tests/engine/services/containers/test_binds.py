"""Binds of the host's files in real containers: how they are made, and what passes through them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davit.sys import mount, mountinfo
from tests.engine.client import Answer, Client
from tests.engine.conftest import Davitd


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A mount of its own, which passes nothing on, with a directory."""
    place = tmp_path / "source"
    place.mkdir()
    mount.mount("tmpfs", place, "tmpfs")
    mount.mount("", place, "", flags=mount.MS_PRIVATE)
    (place / "below").mkdir()
    yield place
    mount.unmount(place / "below")
    mount.unmount(place)


def share(source: Path) -> None:
    mount.mount("", source, "", flags=mount.MS_SHARED)


def create(client: Client, source: Path, *command: str, **fields: Any) -> Answer:
    bind = {"Type": "bind", "Source": str(source), "Target": "/x", **fields}
    host = {"NetworkMode": "none", "Mounts": [bind], "Privileged": True}
    return client.post(
        "/containers/create", {"Image": "busybox", "Cmd": command, "HostConfig": host}
    )


def run(client: Client, box: str) -> int:
    """Start a container and return its exit code."""
    started = client.post(f"/containers/{box}/start")
    assert started.status == 204, started.message
    code = client.post(f"/containers/{box}/wait").json["StatusCode"]
    client.delete(f"/containers/{box}")
    assert isinstance(code, int)
    return code


def shown(client: Client, box: str) -> dict[str, Any]:
    (point,) = client.get(f"/containers/{box}/json").json["Mounts"]
    assert isinstance(point, dict)
    return point


@pytest.mark.parametrize(
    ("propagation", "slave", "needed"),
    [
        ("shared", False, "shared"),
        ("rshared", True, "shared"),
        ("slave", False, "shared or slave"),
        ("rslave", False, "shared or slave"),
    ],
)
def test_what_the_host_does_not_share(
    shared_davitd: Davitd, source: Path, propagation: str, slave: bool, needed: str
) -> None:
    client = shared_davitd.client
    if slave:
        share(source)
        mount.mount("", source, "", flags=mount.MS_SLAVE)
    box = create(client, source, "true", BindOptions={"Propagation": propagation}).json["Id"]
    started = client.post(f"/containers/{box}/start")
    assert started.status == 500
    assert started.message.startswith(
        f"path {source} is mounted on {source} but it is not a {needed} mount"
    )
    client.delete(f"/containers/{box}")


def test_a_shared_bind_passes_mounts_to_the_host(shared_davitd: Davitd, source: Path) -> None:
    share(source)
    command = "mount -t tmpfs made /x/below && touch /x/below/file"
    box = create(
        shared_davitd.client, source, "sh", "-c", command, BindOptions={"Propagation": "rshared"}
    ).json["Id"]
    assert shown(shared_davitd.client, box)["Propagation"] == "rshared"
    assert run(shared_davitd.client, box) == 0
    assert mountinfo.is_mounted(source / "below")
    assert (source / "below/file").exists()


@pytest.mark.parametrize(("propagation", "seen"), [("rslave", True), ("rprivate", False)])
def test_a_slave_follows_the_host(
    shared_davitd: Davitd, source: Path, propagation: str, seen: bool
) -> None:
    share(source)
    client = shared_davitd.client
    box = create(client, source, "sleep", "1000", BindOptions={"Propagation": propagation}).json[
        "Id"
    ]
    client.post(f"/containers/{box}/start")
    mount.mount("tmpfs", source / "below", "tmpfs")
    (source / "below/late").touch()
    found = shared_davitd.docker("exec", box, "ls", "/x/below").stdout
    assert found == (b"late\n" if seen else b"")
    # What the container mounts stays its own in both.
    shared_davitd.docker("exec", box, "mount", "-t", "tmpfs", "made", "/x/below")
    assert (source / "below/late").exists()
    shared_davitd.docker("rm", "-f", box)


def test_what_is_mounted_below_may_be_left_out(shared_davitd: Davitd, source: Path) -> None:
    mount.mount("tmpfs", source / "below", "tmpfs")
    (source / "below/deep").touch()
    client = shared_davitd.client
    box = create(client, source, "ls", "/x/below/deep").json["Id"]
    assert run(client, box) == 0
    alone = {"BindOptions": {"NonRecursive": True}}
    box = create(client, source, "ls", "/x/below/deep", **alone).json["Id"]
    # Also in copies from a container that has never run, and for who takes its volumes over.
    assert b"deep" not in shared_davitd.docker("cp", f"{box}:/x", "-").stdout
    taken = shared_davitd.docker("run", "--rm", "--volumes-from", box, "busybox", "ls", "/x/below")
    assert taken.stdout == b""
    assert run(client, box) != 0


def test_a_missing_source(shared_davitd: Davitd, source: Path) -> None:
    client = shared_davitd.client
    missing = source / "not/there"
    refused = create(client, missing, "true")
    assert refused.status == 400
    assert refused.message == (
        f'invalid mount config for type "bind": bind source path does not exist: {missing}'
    )
    wish = {"BindOptions": {"CreateMountpoint": True}}
    box = create(client, missing, "test", "-d", "/x", **wish).json["Id"]
    assert missing.is_dir()
    missing.rmdir()  # and again at each start
    assert run(client, box) == 0
    assert missing.is_dir()
    missing.rmdir()
    older = Client(shared_davitd.socket, "v1.41")
    assert create(older, missing, "true", **wish).status == 400


def test_a_source_that_went_away(shared_davitd: Davitd, source: Path) -> None:
    box = create(shared_davitd.client, source / "below", "true").json["Id"]
    (source / "below").rmdir()
    started = shared_davitd.client.post(f"/containers/{box}/start")
    assert started.status == 400
    assert started.message.endswith(f"bind source path does not exist: {source / 'below'}")
    shared_davitd.client.delete(f"/containers/{box}")
    (source / "below").mkdir()


@pytest.mark.parametrize("word", ["consistent", "cached", "delegated", "default"])
def test_consistency_changes_nothing(shared_davitd: Davitd, source: Path, word: str) -> None:
    client = shared_davitd.client
    box = create(client, source, "touch", "/x/file", Consistency=word).json["Id"]
    assert run(client, box) == 0
    assert (source / "file").exists()
    if word != "default":
        shared_davitd.docker("run", "--rm", "-v", f"{source}:/x:{word}", "busybox", "ls", "/x/file")


def test_binds_of_what_davitd_mounts(shared_davitd: Davitd) -> None:
    """They follow davitd's own mounts where the host allows, and nobody may ask for less."""
    client = shared_davitd.client
    for place in ("/", shared_davitd.data, shared_davitd.data / "layers"):
        made = create(client, Path(place), "true")
        assert made.status == 201, made.message
        box = made.json["Id"]
        assert shown(client, box)["Propagation"] == "rslave"
        assert run(client, box) == 0
    box = create(client, shared_davitd.socket, "true").json["Id"]
    assert shown(client, box)["Propagation"] == "rprivate"
    client.delete(f"/containers/{box}")
    refused = create(client, Path("/"), "true", BindOptions={"Propagation": "private"})
    assert refused.status == 400
    assert refused.message.startswith(
        'invalid mount config: must use either propagation mode "rslave" or "rshared"'
    )


def test_what_older_clients_could_not_ask_for(shared_davitd: Davitd, source: Path) -> None:
    for version, fields, words in (
        (
            "v1.43",
            {"ReadOnly": True, "BindOptions": {"ReadOnlyForceRecursive": True}},
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
        (
            "v1.44",
            {"Type": "volume", "Source": "v", "VolumeOptions": {"Subpath": "a"}},
            "VolumeOptions.Subpath needs API v1.45 or newer",
        ),
        (
            "v1.47",
            {"Type": "image", "Source": "busybox"},
            'Mount type "Image" needs API v1.48 or newer',
        ),
    ):
        refused = create(Client(shared_davitd.socket, version), source, "true", **fields)
        assert (refused.status, refused.message) == (400, words)
    old = Client(shared_davitd.socket, "v1.41")
    box = create(old, source, "true", VolumeOptions={"NoCopy": True}).json["Id"]
    assert run(old, box) == 0
