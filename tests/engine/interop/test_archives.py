"""Archives between davit and other engines, and what both tell of the same image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import Davitd
from tests.engine.imagekit import docker_archive
from tests.engine.interop.images import RICH, SIBLING, rich
from tests.engine.interop.peers import Docker, Libpod, assert_same_files, files_of, members

# What says something of the engine, not of the image.
_OF_THE_ENGINE = {"GraphDriver", "Metadata", "RepoTags", "RepoDigests"}
# Gone from the API, where davit still shows it more than it says.
_GONE = {"ContainerConfig"}
# Moby leaves it out from API 1.45 on.
_LEFT_OUT = {"Container"}
# What engines put into a container's file system, and the directories that this touches.
_OF_CONTAINERS = {".", ".dockerenv", "dev", "etc"}
_OF_CONTAINERS |= {f"dev/{name}" for name in ("console", "pts", "shm")}
_OF_CONTAINERS |= {f"etc/{name}" for name in ("hostname", "hosts", "mtab", "resolv.conf")}


def forget(peer: Docker, *images: str) -> None:
    for image in images:
        assert peer.client.delete(f"/images/{image}", force=True).status == 200


@pytest.mark.parametrize("image", ["rich:0", "sibling:1"])
def test_both_tell_the_same(davit: Docker, dockerd: Docker, image: str) -> None:
    shown, wanted = ({**peer.inspect(image)} for peer in (davit, dockerd))
    aside = _OF_THE_ENGINE | _GONE | (_LEFT_OUT - wanted.keys())
    for found in (shown, wanted):
        for name in aside & found.keys():
            del found[name]
    assert shown == wanted
    histories = [peer.client.get(f"/images/{image}/history").json for peer in (davit, dockerd)]
    for steps in histories:
        steps[0].pop("Tags")
    assert histories[0] == histories[1]


def test_davit_to_dockerd_and_back(davit: Docker, dockerd: Docker) -> None:
    image = rich(1000)
    davit.load(docker_archive(image))
    saved = davit.save(image.tags[0])
    assert davit.save(image.tags[0]) == saved
    dockerd.load(saved)
    assert dockerd.id_of(image.tags[0]) == image.id
    files = files_of(davit, image.tags[0])
    back = dockerd.save(image.tags[0])
    forget(davit, image.tags[0])
    davit.load(back)
    assert davit.id_of(image.tags[0]) == image.id
    assert files_of(davit, image.tags[0]) == files
    assert davit.save(image.tags[0]) == saved


def test_several_images_that_share_layers(davit: Docker, dockerd: Docker) -> None:
    names = ("rich:0", "sibling:1")
    for source, target in ((dockerd, davit), (davit, dockerd)):
        saved = source.save(*names)
        layers = [data for data in members(saved).values() if data in RICH.layers]
        assert len(layers) == len(set(layers)) == len(RICH.layers)
        forget(target, *names)
        target.load(saved)
        assert [target.id_of(name) for name in names] == [RICH.id, SIBLING.id]


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_podman_saves_and_loads(davit: Docker, podman: Libpod, tmp_path: Path, form: str) -> None:
    image = rich(2000)
    tag = image.tags[0]
    davit.load(docker_archive(image))
    (tmp_path / "davit.tar").write_bytes(davit.save(tag))
    podman("load", "--input", f"{tmp_path}/davit.tar")
    assert podman.id_of(tag) == image.id
    podman("tag", tag, "localhost/of/podman:1")
    archive = tmp_path / "podman.tar"
    podman("save", "--format", form, "--output", str(archive), "localhost/of/podman:1")
    forget(davit, tag)
    davit.load(archive.read_bytes())
    # podman's OCI archives have a configuration of their own.
    podman("rmi", "--all", "--force")
    podman("load", "--input", str(archive))
    loaded = podman("images", "--quiet", "--no-trunc").split()
    ids = {entry["Id"] for entry in davit.client.get("/images/json").json}
    assert ids >= set(loaded)
    forget(davit, *loaded)


def test_podman_saves_several(davit: Docker, podman: Libpod, tmp_path: Path) -> None:
    (tmp_path / "both.tar").write_bytes(docker_archive(RICH, SIBLING))
    podman("load", "--input", f"{tmp_path}/both.tar")
    archive = f"{tmp_path}/several.tar"
    podman("save", "--multi-image-archive", "--output", archive, "rich:0", "sibling:1")
    told = davit.load(Path(archive).read_bytes())
    assert b"localhost/rich:0" in told
    assert davit.id_of("localhost/rich:0") == RICH.id
    assert davit.id_of("localhost/sibling:1") == SIBLING.id
    forget(davit, "localhost/rich:0", "localhost/sibling:1")


@pytest.mark.parametrize("source", ["davit", "dockerd"])
def test_exported_containers_are_imported_by_both(
    davit: Docker, dockerd: Docker, engine: Davitd, source: str
) -> None:
    exporter = davit if source == "davit" else dockerd
    name = f"exported/from-{source}:1"
    made = exporter.client.post("/containers/create", {"Image": "rich:0", "Cmd": ["true"]})
    box = made.json["Id"]
    exported = exporter.client.get(f"/containers/{box}/export").body
    assert exporter.client.delete(f"/containers/{box}", v=True).status == 204
    for peer in (davit, dockerd):
        words = {"fromSrc": "-", "repo": name[:-2], "tag": "1"}
        answer = peer.client.post("/images/create", exported, **words)
        assert answer.status == 200, answer.body
    shown, wanted = (peer.inspect(name)["RootFS"] for peer in (davit, dockerd))
    assert shown == wanted
    assert_same_files(davit, dockerd, name)
    files, wanted = files_of(davit, name), files_of(davit, "rich:0")
    for path in files.keys() & _OF_CONTAINERS:
        wanted.pop(path, None)
        del files[path]
    if source == "dockerd":
        # It writes neither fractions of seconds nor attributes of users.
        wanted["d/nanoseconds"]["mtime"] = files["d/nanoseconds"]["mtime"]
        wanted["d/attribute"]["attributes"] = {}
    assert files == wanted
    ran = engine.docker("run", "--rm", "--network=none", name, "/bin/sh", "-c", "id -u")
    assert ran.stdout == b"0\n"


def test_committed_images_have_one_id(davit: Docker, dockerd: Docker, engine: Davitd) -> None:
    script = "echo 1 >/new; rm /replaced/inside; chmod 700 /tmp; rm -r /opaque; mkdir /opaque"
    engine.docker(
        "run", "--name=worker", "--user=0", "--network=none", "rich:0", "sh", "-c", script
    )
    engine.docker("commit", "-c", "ENV NEW=1", "-m", "work", "worker", "committed:1")
    engine.docker("rm", "--volumes", "worker")
    dockerd.load(davit.save("committed:1"))
    assert dockerd.id_of("committed:1") == davit.id_of("committed:1")
    assert_same_files(dockerd, davit, "committed:1")
    assert "opaque/above" not in files_of(dockerd, "committed:1")
