"""Images between davit and other engines over a registry: the same digests, IDs and files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.engine.conftest import Davitd
from tests.engine.imagekit import BUSYBOX, Built, digest, docker_archive
from tests.engine.interop.images import rich
from tests.engine.interop.peers import Docker, Libpod, Peer, assert_same_files, skopeo

_numbers = itertools.count(1)
_CONTAINERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY --chown=7:8 Containerfile /src/
ENV A=b
ENTRYPOINT ["/bin/busybox", "echo"]
"""


@pytest.fixture
def name(address: str, image: Built) -> str:
    """Of a repository that nobody has pushed to."""
    return f"{address}/interop/{image.tags[0]}"


@pytest.fixture
def image() -> Built:
    """One that nobody has."""
    return rich(next(_numbers))


@pytest.fixture(params=["dockerd", "podman", "buildah"])
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.getfixturevalue(request.param)
    return found


def test_peers_pull_what_davit_pushed(davit: Docker, peer: Peer, image: Built, name: str) -> None:
    davit.load(docker_archive(image))
    told = davit.push(image.tags[0], name)
    peer.pull(name)
    assert peer.id_of(name) == image.id
    assert reference(name) in peer.digests(name)
    assert davit.digests(name) == [reference(name)]
    assert reference(name).endswith(told)
    assert_same_files(peer, davit, name)
    assert peer.cat(name, "/number") == davit.cat(name, "/number") == image.tags[0].split(":")[1]


def test_davit_pulls_what_peers_pushed(
    davit: Docker, dockerd: Docker, peer: Peer, image: Built, name: str, tmp_path: Path
) -> None:
    """And dockerd sees in it what davit does."""
    archive = write(image, tmp_path)
    if isinstance(peer, Docker):
        peer.load(docker_archive(image))
        peer.push(image.tags[0], name)
    else:
        peer("pull", f"docker-archive:{archive}")
        peer.push(f"localhost/{image.tags[0]}", name, "--format", "v2s2")
    for engine in (davit, dockerd):
        engine.pull(name)
        assert engine.id_of(name) == image.id
        assert engine.digests(name) == [reference(name)]
    assert_same_files(davit, dockerd, name)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_oci_images(
    davit: Docker,
    dockerd: Docker,
    podman: Libpod,
    engine: Davitd,
    image: Built,
    name: str,
    tmp_path: Path,
    kind: str,
) -> None:
    """As skopeo makes them. What davit pushes again is the same to the last byte."""
    words = ("--format", "oci", "--dest-compress", "--dest-compress-format", kind)
    skopeo("copy", *words, f"docker-archive:{write(image, tmp_path)}", f"dir:{tmp_path}/oci")
    skopeo("copy", f"dir:{tmp_path}/oci", f"docker://{name}")
    manifest = json.loads(raw(name))
    assert {layer["mediaType"] for layer in manifest["layers"]} == {
        f"application/vnd.oci.image.layer.v1.tar+{kind}"
    }
    # dockerd 20.10 knows no zstd.
    peers: list[Peer] = [davit, podman] if kind == "zstd" else [davit, podman, dockerd]
    for one in peers:
        one.pull(name)
        assert one.id_of(name) == manifest["config"]["digest"]
        assert reference(name) in one.digests(name)
        assert_same_files(one, davit, name)
    ran = engine.docker("run", "--rm", "--network", "none", name)
    assert ran.stdout == b"from the image\n"
    again = name.replace("/rich:", "/again:")
    davit.push(name, again)
    assert raw(again) == raw(name)
    podman.pull(again)
    assert podman.id_of(again) == davit.id_of(name)


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_an_index_of_two_platforms(
    davit: Docker,
    dockerd: Docker,
    buildah: Libpod,
    image: Built,
    name: str,
    tmp_path: Path,
    form: str,
) -> None:
    index = f"index-{form}"
    buildah("manifest", "create", index)
    for built in (image, rich(next(_numbers), "s390x")):
        buildah("pull", f"docker-archive:{write(built, tmp_path)}")
        buildah("manifest", "add", index, f"containers-storage:localhost/{built.tags[0]}")
    target = f"docker://{name}"
    buildah("manifest", "push", "--tls-verify=false", "--all", "--format", form, index, target)
    for peer in (davit, dockerd):
        peer.pull(name)
        assert peer.digests(name) == [reference(name)]
    assert davit.id_of(name) == dockerd.id_of(name)
    assert davit.inspect(name)["Architecture"] == image.platform["architecture"]
    for peer in (davit, dockerd):
        peer.pull(name, platform="linux/s390x")
        assert peer.inspect(name)["Architecture"] == "s390x"
    assert davit.id_of(name) == dockerd.id_of(name)
    # A digest names one image. To davit that is the one that was asked for last.
    assert davit.digests(name) == [reference(name)]
    assert dockerd.digests(name) == []
    assert_same_files(davit, dockerd, name)


def test_what_buildah_built(
    davit: Docker, dockerd: Docker, buildah: Libpod, engine: Davitd, name: str, tmp_path: Path
) -> None:
    (tmp_path / "Containerfile").write_text(_CONTAINERFILE)
    (tmp_path / "busybox").write_bytes(BUSYBOX.read_bytes())
    (tmp_path / "busybox").chmod(0o4755)
    buildah("build", "--format", "oci", "--layers", "--tag", "made:1", str(tmp_path))
    buildah.push("made:1", name)
    for peer in (davit, dockerd):
        peer.pull(name)
        assert peer.id_of(name) == buildah.id_of("made:1")
        assert peer.digests(name) == [reference(name)]
    assert_same_files(davit, dockerd, name)
    assert_same_files(davit, buildah, name, "made:1")
    ran = engine.docker("run", "--rm", "--network", "none", name, "made by buildah")
    assert ran.stdout == b"made by buildah\n"


def raw(name: str) -> bytes:
    return skopeo("inspect", "--raw", f"docker://{name}")


def reference(name: str) -> str:
    """The name with the digest of what the registry has under it."""
    return f"{name.rpartition(':')[0]}@{digest(raw(name))}"


def write(image: Built, directory: Path) -> Path:
    """An archive of an image, as a file."""
    path = directory / "image.tar"
    path.write_bytes(docker_archive(image))
    return path
