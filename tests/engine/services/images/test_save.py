import io
import json
import tarfile

import pytest

from davit.errors import NotFound, SystemFailure
from tests.engine.imagekit import busybox, chunks, docker_archive, files, oci_archive
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


async def test_a_damaged_blob_is_not_passed_on(kit: Kit) -> None:
    (image,) = await kit.load(BUILT)
    blob = kit.blobs.path(kit.layers.get(image.layers[1]).blob)
    blob.write_bytes(blob.read_bytes().replace(b"1", b"2"))
    with pytest.raises(SystemFailure, match="is damaged on disk"):
        await read(kit, "box:1")
