import io
import json
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from davit.errors import NotFound, SystemFailure
from tests.engine.imagekit import (
    busybox,
    chunks,
    docker_archive,
    files,
    layer,
    member,
    oci_archive,
)
from tests.engine.services.images.conftest import EMPTY, Kit

BUILT = busybox("box:1", "team/box:1", extra=[files({"a": "1"})])


async def read(kit: Kit, *names: str) -> bytes:
    return b"".join([piece async for piece in kit.images.save(names)])


@pytest.mark.parametrize("archive", [docker_archive(BUILT), oci_archive(BUILT)])
async def test_what_is_saved_loads_as_the_same(kit: Kit, archive: bytes) -> None:
    await kit.images.load(chunks(archive), kit.lines.append)
    saved = await read(kit, "box:1", "team/box:1")
    await kit.images.remove(BUILT.id, force=True)
    assert await kit.contents() == EMPTY
    await kit.images.load(chunks(saved), kit.lines.append)
    assert kit.images.resolve("box:1").id == BUILT.id
    assert kit.images.resolve("team/box:1").id == BUILT.id
    assert await read(kit, "box:1", "team/box:1") == saved


async def test_it_is_both_formats(kit: Kit) -> None:
    await kit.load(BUILT)
    with tarfile.open(fileobj=io.BytesIO(await read(kit, "box:1"))) as tar:
        names = tar.getnames()
        documents = {
            name: json.load(tar.extractfile(name) or io.BytesIO())
            for name in ("manifest.json", "index.json", "oci-layout")
        }
    assert documents["manifest.json"][0]["RepoTags"] == ["box:1"]
    assert documents["manifest.json"][0]["Config"] in names
    (descriptor,) = documents["index.json"]["manifests"]
    assert descriptor["annotations"]["io.containerd.image.name"] == "docker.io/library/box:1"
    assert f"blobs/sha256/{descriptor['digest'][7:]}" in names


async def test_a_repository_means_all_its_tags(kit: Kit) -> None:
    await kit.load(busybox("box:1"), busybox("box:2", Env=["A=2"]), busybox("other:1"))
    saved = await read(kit, "box")
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    assert sorted(tag for entry in manifest for tag in entry["RepoTags"]) == ["box:1", "box:2"]


async def test_by_id_it_has_no_name(kit: Kit) -> None:
    (image,) = await kit.load(BUILT)
    saved = await read(kit, image.id[7:19])
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    assert manifest[0]["RepoTags"] is None


async def test_unknown_images_are_told_before_the_first_byte(kit: Kit) -> None:
    await kit.load(BUILT)
    with pytest.raises(NotFound, match="No such image: none:latest"):
        kit.images.save(["box:1", "none"])


async def test_a_layer_is_on_disk_once(kit: Kit) -> None:
    """What came uncompressed is made again from the unpacked files."""
    data = random.Random(1).randbytes(1 << 20)
    (image,) = await kit.load(busybox("big", extra=[files({"data": data})]))
    assert await blobs(kit) == {image.id}
    assert kit.layers.split(image.layers[1]).stat().st_size < 1000
    first = await read(kit, "big")
    await kit.images.remove(image.id, force=True)
    await kit.images.load(chunks(first), kit.lines.append)
    assert await read(kit, "big") == first


@pytest.mark.parametrize("name", ["a", "./a"])
async def test_a_layer_whose_files_replace_each_other_is_kept_as_it_came(
    kit: Kit, name: str
) -> None:
    """The first contents are nowhere else."""
    twice = layer([member("a", b"1" * 5000), member("b", b"2" * 600), member(name, b"3" * 700)])
    (image,) = await kit.load(busybox("twice", extra=[twice]))
    diff_id = image.layers[1]
    assert kit.layers.get(diff_id).blob in await blobs(kit)
    assert not kit.layers.split(diff_id).exists()
    assert twice in await read(kit, "twice")
    await kit.images.remove(image.id, force=True)
    assert await kit.contents() == EMPTY


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("a", damage, "is damaged on disk: it unpacks to"),
        ("a", cut, "the unpacked file 'a' is not as it was"),
        ("a", Path.unlink, "the unpacked file 'a' is gone"),
        ("", cut, "what is kept of a layer.s tar is damaged"),
        ("", Path.unlink, "is missing from the store: load it again"),
    ],
)
async def test_what_is_damaged_is_not_passed_on(
    kit: Kit, name: str, harm: Callable[[Path], None], words: str
) -> None:
    (image,) = await kit.load(busybox("box:1", extra=[files({"a": "1" * 1000})]))
    (diff_id,) = image.layers[1:]
    harm(kit.layers.path(diff_id) / name if name else kit.layers.split(diff_id))
    with pytest.raises(SystemFailure, match=words):
        await read(kit, "box:1")


async def test_a_damaged_blob_is_not_passed_on(kit: Kit) -> None:
    await kit.images.load(chunks(oci_archive(BUILT)), kit.lines.append)
    blob = kit.blobs.path(kit.layers.get(kit.images.resolve("box:1").layers[1]).blob)
    blob.write_bytes(blob.read_bytes()[:-9] + b"123456789")
    with pytest.raises(SystemFailure, match="is damaged on disk"):
        await read(kit, "box:1")


async def blobs(kit: Kit) -> set[str]:
    return {f"sha256:{name}" for name in (await kit.contents())["blobs"]}
