import asyncio
import errno
import gzip
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zstandard

from davit.errors import InvalidParameter, NotFound, SystemFailure
from davit.model.image import Progress
from tests.engine import imagekit
from tests.engine.imagekit import Built, busybox, chunks, docker_archive, files, member, oci_archive
from tests.engine.services.images.conftest import EMPTY, Kit

TWO = busybox("busybox:1", "team/box:x", extra=[files({"etc/motd": "hello"})])

ARCHIVES = {
    "docker save": docker_archive(TWO),
    "docker save, layers compressed": docker_archive(TWO, compressed=True),
    "docker save, all compressed": gzip.compress(docker_archive(TWO)),
    "docker save, all in zstd": zstandard.compress(docker_archive(TWO)),
    "OCI layout": oci_archive(TWO, compressed=False),
    "OCI layout, compressed": oci_archive(TWO),
}


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES.keys())
async def test_an_image_comes_out_as_it_went_in(kit: Kit, archive: bytes) -> None:
    loaded = await kit.images.load(chunks(archive), kit.lines.append)
    image = kit.images.resolve("busybox:1")
    assert {item.id for item in loaded} == {image.id} == {TWO.id}
    assert image.tags == ("busybox:1", "team/box:x")
    assert image.config.config.cmd == ["sh"]
    bottom, top = kit.images.directories(image.layers)
    assert (bottom / "bin/busybox").read_bytes() == imagekit.BUSYBOX.read_bytes()
    assert (bottom / "bin/sh").readlink().name == "busybox"
    assert (top / "etc/motd").read_text() == "hello"
    assert image.size == len("hello") + sum(
        path.lstat().st_size for path in bottom.rglob("*") if not path.is_dir()
    )
    assert kit.lines[-2:] == [
        Progress(stream="Loaded image: busybox:1\n"),
        Progress(stream="Loaded image: team/box:x\n"),
    ]
    assert kit.actions() == [("load", "busybox:1"), ("load", "team/box:x")]
    assert (await kit.contents())["ingest"] == []


async def test_a_layer_that_is_too_large_is_named(kit: Kit) -> None:
    kit.max_layer_size = 1 << 20
    await kit.restart()
    bomb = Built(layers=[files({"zeros": bytes(1 << 20)})], tags=["bomb:1"])
    for archive in (docker_archive(bomb), oci_archive(bomb), oci_archive(bomb, compressed=False)):
        with pytest.raises(InvalidParameter, match=r"layer (blobs|[0-9a-f]{64})/.*max-layer-size"):
            await kit.images.load(chunks(archive), kit.lines.append)
        assert await kit.contents() == EMPTY


async def test_layers_that_wait_take_no_descriptors(kit: Kit) -> None:
    many = Built(layers=[files({str(number): "1"}) for number in range(100)], tags=["many:1"])

    def free() -> int:
        """The lowest number that a descriptor could have."""
        descriptor = os.dup(2)
        os.close(descriptor)
        return descriptor

    before, found = free(), []
    await kit.images.load(chunks(docker_archive(many)), lambda _: found.append(free()))
    assert max(found) - before < 30


async def test_more_layers_than_can_be_mounted(kit: Kit) -> None:
    many = Built(layers=[files({"a": "1"})] * 501, tags=["many:1"])
    with pytest.raises(InvalidParameter, match="max depth exceeded"):
        await kit.images.load(chunks(docker_archive(many)), kit.lines.append)
    assert await kit.contents() == EMPTY


async def test_what_is_loaded_survives_a_restart(kit: Kit) -> None:
    await kit.load(TWO)
    before = await kit.contents()
    await kit.restart()
    assert await kit.contents() == before
    (directory, _) = kit.images.directories(kit.images.resolve("busybox:1").layers)
    assert (directory / "bin/busybox").exists()


async def test_loading_again_changes_nothing(kit: Kit) -> None:
    await kit.load(TWO)
    before = await kit.contents()
    for archive in ARCHIVES.values():
        await kit.images.load(chunks(archive), kit.lines.append)
    assert await kit.contents() == before


async def test_layers_are_shared(kit: Kit) -> None:
    one, two = await kit.load(TWO, busybox("plain:1"))
    assert one.layers[0] == two.layers[0]
    assert len(kit.layers.all()) == 2
    # A tree, a record and the rest of its tar each.
    assert len((await kit.contents())["layers"]) == 3 * 2


async def test_links_between_layers(kit: Kit) -> None:
    built = busybox("linked", extra=[files({"a": "1"})] * 2)
    members = [
        member("one/layer.tar", built.layers[0]),
        member("two/layer.tar", built.layers[1]),
        imagekit.symlink("three/layer.tar", "../two/layer.tar"),
        member("config.json", built.body),
        member(
            "manifest.json",
            json.dumps(
                [
                    {
                        "Config": "config.json",
                        "RepoTags": ["linked:latest"],
                        "Layers": [f"{name}/layer.tar" for name in ("one", "two", "three")],
                    }
                ]
            ).encode(),
        ),
    ]
    await kit.images.load(chunks(imagekit.layer(members)), kit.lines.append)
    assert kit.images.resolve("linked").id == built.id


async def test_the_tag_moves_to_the_new_image(kit: Kit) -> None:
    (old,) = await kit.load(busybox("box:1", "box:2"))
    (new,) = await kit.load(busybox("box:1", Env=["A=1"]))
    assert kit.images.resolve("box:1").id == new.id
    assert kit.images.resolve("box:2").id == old.id
    assert kit.images.resolve(old.id).tags == ("box:2",)
    await kit.restart()
    assert kit.images.resolve("box:1").id == new.id


async def test_an_image_without_tag(kit: Kit) -> None:
    built = Built(layers=[files({"a": "1"})])
    (image,) = await kit.load(built)
    assert image.tags == ()
    assert kit.lines[-1] == Progress(stream=f"Loaded image ID: {built.id}\n")


@pytest.mark.parametrize("make", [docker_archive, oci_archive])
async def test_layers_that_the_store_has_need_not_be_sent(kit: Kit, make: object) -> None:
    await kit.load(busybox("base"))
    thin = busybox("thin", extra=[files({"a": "1"})])
    base = thin.layers[0]
    if make is docker_archive:
        archive = _without(docker_archive(thin), base)
    else:
        archive = oci_archive(thin, strip=[imagekit.digest(imagekit.compress(base))])
    await kit.images.load(chunks(archive), kit.lines.append)
    assert len(kit.images.directories(kit.images.resolve("thin").layers)) == 2


async def test_the_hosts_platform_is_taken(kit: Kit) -> None:
    local = busybox("multi:1")
    other = Built(layers=[files({"other": "1"})], platform={"os": "linux", "architecture": "s390x"})
    await kit.images.load(chunks(oci_archive(local, other, nested=True)), kit.lines.append)
    assert kit.images.resolve("multi:1").id == local.id
    assert len(kit.rows.all()) == 1


async def test_another_platform_on_request(kit: Kit) -> None:
    other = Built(layers=[files({"other": "1"})], platform={"os": "linux", "architecture": "s390x"})
    archive = oci_archive(busybox("multi:1"), other, nested=True)
    await kit.images.load(chunks(archive), kit.lines.append, platform="linux/s390x")
    assert kit.images.resolve("multi:1").id == other.id
    with pytest.raises(
        NotFound, match=r"no image for linux/riscv64, it has linux/\w+, linux/s390x"
    ):
        await kit.images.load(chunks(archive), kit.lines.append, platform="linux/riscv64")


def _without(archive: bytes, layer: bytes) -> bytes:
    name = f"{imagekit.digest(layer).removeprefix('sha256:')}/layer.tar"
    return _edited(archive, lambda path, data: None if path == name else data)


def _edited(archive: bytes, edit: object) -> bytes:
    """The archive with each file's contents passed through ``edit``; None drops it."""
    kept = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            data = edit(info.name, tar.extractfile(info).read())  # type: ignore[operator,union-attr]
            if data is not None:
                kept.append(member(info.name, data))
    return imagekit.layer(kept)


def _flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def _evil(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return docker_archive(busybox("evil", extra=[imagekit.layer(members)]))


def _manifest(archive: bytes, **fields: object) -> bytes:
    def edit(path: str, data: bytes) -> bytes:
        return (
            json.dumps([{**json.loads(data)[0], **fields}]).encode() if "manifest" in path else data
        )

    return _edited(archive, edit)


DOCKER, OCI = docker_archive(TWO), oci_archive(TWO)
GZIPPED = docker_archive(TWO, compressed=True)
_MOTD = DOCKER.index(b"hello")
BASE = f"blobs/sha256/{imagekit.digest(imagekit.compress(TWO.layers[0])).removeprefix('sha256:')}"

BAD = {
    "nothing": (b"", "neither manifest.json"),
    "no archive": (b"x" * 5000, "not a tar archive"),
    "a root file system": (imagekit.busybox_rootfs(), "images/create"),
    "empty archive": (bytes(1024), "neither manifest.json"),
    "cut in a layer": (DOCKER[: len(DOCKER) // 2], "truncated"),
    "cut in a compressed layer": (OCI[: len(OCI) // 2], "truncated"),
    "cut in the compression": (gzip.compress(DOCKER)[:-500000], "truncated"),
    "cut before the manifest": (DOCKER[: DOCKER.index(b"manifest.json")], "neither manifest.json"),
    "a layer's file changed": (_flip(DOCKER, _MOTD), r"expected digest sha256:\w+, got sha256:\w+"),
    "a layer's header changed": (_flip(DOCKER, _MOTD - 512), "damaged"),
    "a compressed layer changed": (
        _edited(GZIPPED, lambda p, d: _flip(d, len(d) // 2) if "layer" in p else d),
        "damaged",
    ),
    "a blob changed": (
        _edited(OCI, lambda p, d: _flip(d, len(d) // 2) if p == BASE else d),
        r"expected digest sha256:\w+, got sha256:\w+",
    ),
    "a blob with more behind it": (
        _edited(OCI, lambda p, d: d + b"\0" if p == BASE else d),
        r"expected digest sha256:\w+, got sha256:\w+",
    ),
    "the configuration changed": (
        _edited(DOCKER, lambda p, d: d.replace(b"PATH=/bin", b"PATH=/sin")),
        r"configuration .* expected digest",
    ),
    "the OCI configuration changed": (
        _edited(OCI, lambda p, d: d.replace(b"PATH=/bin", b"PATH=/sin")),
        "expected digest",
    ),
    "an OCI manifest changed": (
        _edited(OCI, lambda p, d: d.replace(b"+gzip", b"+xxxx") if p != "index.json" else d),
        "expected digest",
    ),
    "layers swapped": (
        _manifest(
            DOCKER,
            Layers=[
                f"{imagekit.digest(data).removeprefix('sha256:')}/layer.tar"
                for data in reversed(TWO.layers)
            ],
        ),
        "expected digest",
    ),
    "a layer is missing": (_without(DOCKER, TWO.layers[0]), "incomplete: layer .* neither in it"),
    "an OCI layer is missing": (
        oci_archive(TWO, strip=[imagekit.digest(imagekit.compress(TWO.layers[1]))]),
        "incomplete: layer",
    ),
    "too few layers": (_manifest(DOCKER, Layers=[]), "has 2 layers, the manifest 0"),
    "no configuration": (_manifest(DOCKER, Config="none.json"), "names 'none.json', which is not"),
    "bad tag": (_manifest(DOCKER, RepoTags=["UPPER:1"]), "lowercase"),
    "manifest of a wrong shape": (_manifest(DOCKER, Layers=3), r"manifest.json is wrong.*Layers"),
    "manifest is no JSON": (
        _edited(DOCKER, lambda p, d: b"{" if "manifest" in p else d),
        "manifest.json is wrong",
    ),
    "layer that climbs": (_evil(member("../evil", b"1")), "leads out of the image"),
    "layer with an absolute path": (_evil(member("/tmp/evil", b"1")), "absolute path"),
    "layer with a link out": (
        _evil(imagekit.symlink("l", ".."), member("l/evil", b"1")),
        "leads out of the image",
    ),
    "an archive member that climbs": (imagekit.layer([member("../x.json", b"{}")]), "leads out"),
}


@pytest.mark.parametrize(("archive", "message"), BAD.values(), ids=BAD.keys())
async def test_nothing_stays_of_a_bad_archive(kit: Kit, archive: bytes, message: str) -> None:
    around = sorted(os.listdir(kit.paths.data))
    with pytest.raises(InvalidParameter, match=message):
        await kit.images.load(chunks(archive), kit.lines.append)
    assert await kit.contents() == EMPTY
    assert sorted(os.listdir(kit.paths.data)) == around
    assert kit.events == []


async def test_one_bad_image_of_two_refuses_both(kit: Kit) -> None:
    (there,) = await kit.load(busybox("there"))
    before = await kit.contents()
    good, bad = (
        busybox("good", extra=[files({"a": "1"})]),
        busybox("bad", extra=[files({"b": "2"})]),
    )
    archive = _without(docker_archive(good, bad), bad.layers[1])
    with pytest.raises(InvalidParameter, match="incomplete"):
        await kit.images.load(chunks(archive), kit.lines.append)
    assert await kit.contents() == before
    assert kit.images.resolve("there") == there


async def test_a_tampered_copy_of_a_known_blob_is_refused(kit: Kit) -> None:
    await kit.images.load(chunks(OCI), kit.lines.append)
    before = await kit.contents()
    bad, message = BAD["a blob changed"]
    with pytest.raises(InvalidParameter, match=message):
        await kit.images.load(chunks(bad), kit.lines.append)
    assert await kit.contents() == before


async def test_a_client_that_goes_away_leaves_nothing(kit: Kit) -> None:
    reached = asyncio.Event()

    async def stall() -> AsyncIterator[bytes]:
        yield DOCKER[: len(DOCKER) // 2]
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(kit.images.load(stall(), kit.lines.append))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await kit.contents() == EMPTY


async def test_a_connection_that_breaks_leaves_nothing(kit: Kit) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield DOCKER[: len(DOCKER) // 2]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await kit.images.load(breaks(), kit.lines.append)
    assert await kit.contents() == EMPTY


async def test_a_disk_that_fails_while_more_is_read(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davit.services.images.load._FLUSHED", 1)
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]

    def sync(path: Path) -> None:
        """As the kernel does it: whoever asks first is told, and nobody else."""
        assert path == kit.paths.layers
        if failures:
            raise failures.pop()

    monkeypatch.setattr("davit.store.layers.files.sync_filesystem", sync)
    with pytest.raises(SystemFailure, match=r"cannot store the image in .*: Input/output error"):
        await kit.images.load(chunks(DOCKER), kit.lines.append)
    assert not failures
    assert await kit.contents() == EMPTY
    await kit.images.load(chunks(DOCKER), kit.lines.append)


async def test_what_a_crash_leaves_is_swept_at_start(kit: Kit) -> None:
    await kit.load(TWO)
    before = await kit.contents()
    await kit.stop()
    layers, blobs, ingest = kit.paths.layers, kit.paths.blobs / "sha256", kit.paths.ingest
    (layers / "0123456789ab").mkdir()
    (layers / "0123456789ab/file").write_bytes(b"a tree without its record")
    (layers / "ba9876543210.json").write_bytes(b"{}")
    (blobs / ("0" * 64)).write_bytes(b"a blob without a row")
    (ingest / "blob-x").write_bytes(b"half a blob")
    (ingest / "layer-x/etc").mkdir(parents=True)
    await kit.start()
    assert await kit.contents() == before


async def test_many_loads_at_a_time(kit: Kit) -> None:
    images = [busybox(f"box:{n}", extra=[files({"n": str(n)})]) for n in range(6)]
    await asyncio.gather(*(kit.load(image) for image in images))
    for number, image in enumerate(images):
        assert kit.images.resolve(f"box:{number}").id == image.id
    assert len((await kit.contents())["layers"]) == 3 * 7


async def test_a_layer_that_comes_twice_is_mounted_once(kit: Kit) -> None:
    """RUN true makes the same empty layer each time; overlayfs takes a directory only once."""
    one, two, three = (files({name: "1"}) for name in "abc")
    image = Built(layers=[one, two, one, three, two], tags=["twice:1"])
    (loaded,) = await kit.load(image)
    assert loaded.layers == [imagekit.digest(layer) for layer in image.layers]
    directories = kit.images.directories(loaded.layers)
    assert [os.listdir(path) for path in directories] == [["a"], ["c"], ["b"]]
