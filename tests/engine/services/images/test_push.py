"""Pushes to a real registry, and through a proxy that disturbs them."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from davit.drivers.registry import upload
from davit.drivers.registry.client import RegistryClient
from davit.drivers.registry.repository import Repository
from davit.errors import Forbidden, NotFound
from davit.model.filters import Filters
from davit.model.image import Progress
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images.pull import Puller
from davit.services.images.push import Pusher
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.imagekit import Built, busybox, chunks, files, oci_archive
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.images.conftest import EMPTY, Kit

LOOPBACK = ("127.0.0.0/8",)
IMAGE = busybox(extra=[files({"a": "b"})])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
async def proxy(address: str) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(address).running() as running:
        yield running


class Pushes:
    """A pusher on a store, and the lines that it reported."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.pusher = Pusher(kit.images.content, RegistryClient(LOOPBACK))
        self.lines: list[Progress] = []

    async def push(self, name: str, credentials: Credentials | None = None) -> None:
        await self.pusher.push(
            Reference.parse(name), credentials or Credentials(), self.lines.append
        )

    async def load(self, name: str, image: Built = IMAGE) -> None:
        (loaded,) = await self.kit.load(image)
        await self.kit.images.tag(loaded.id, name)

    def statuses(self) -> list[str]:
        return [line.status for line in self.lines]

    def digest(self) -> str:
        """What the last line says."""
        aux = self.lines[-1].aux
        assert aux is not None
        return str(aux["Digest"])


@pytest.fixture
def pushes(kit: Kit) -> Pushes:
    return Pushes(kit)


def manifest(address: str, path: str, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Shelf(address, path).raw(reference))
    return found


async def test_what_was_pushed(pushes: Pushes, address: str, tmp_path: Path) -> None:
    name = f"{address}/fresh:1"
    await pushes.load(name)
    await pushes.push(name)
    assert pushes.statuses()[0] == f"The push refers to repository [{address}/fresh]"
    assert pushes.statuses().count("Pushed") == 2
    assert pushes.kit.images.resolve(name).digests == (f"{address}/fresh@{pushes.digest()}",)
    made = manifest(address, "fresh", pushes.digest())
    assert made["config"]["digest"] == IMAGE.id
    for layer, tar in zip(made["layers"], IMAGE.layers, strict=True):
        blob, _ = Shelf(address, "fresh").request("GET", f"/v2/fresh/blobs/{layer['digest']}")
        assert gzip.decompress(blob) == tar
    # Another store gets the same image.
    other = Kit(tmp_path / "other")
    await other.start()
    puller = Puller(other.images.content, RegistryClient(LOOPBACK))
    lines: list[Progress] = []
    pulled = await puller.pull(Reference.parse(name), "", Credentials(), lines.append)
    assert pulled.id == IMAGE.id
    await other.stop()


async def test_a_layer_is_compressed_once_and_sent_once(pushes: Pushes, address: str) -> None:
    name = f"{address}/twice:1"
    await pushes.load(name)
    before = {layer.blob for layer in pushes.kit.layers.all()}
    await pushes.push(name)
    first, packed = pushes.digest(), {layer.blob for layer in pushes.kit.layers.all()}
    assert before.isdisjoint(packed)
    pushes.lines.clear()
    await pushes.push(name)
    assert pushes.digest() == first
    assert pushes.statuses().count("Layer already exists") == 2
    assert {layer.blob for layer in pushes.kit.layers.all()} == packed
    # The old blobs go, and what is left is still whole after a restart.
    await pushes.kit.images.prune(Filters({}))
    await pushes.kit.restart()
    assert len((await pushes.kit.contents())["blobs"]) == 3
    assert [piece async for piece in pushes.kit.images.save([name])]


async def test_layers_are_mounted(pushes: Pushes, address: str) -> None:
    await pushes.load(f"{address}/origin:1", busybox(extra=[files({"m": "m"})]))
    await pushes.push(f"{address}/origin:1")
    await pushes.kit.images.tag(f"{address}/origin:1", f"{address}/mounted:1")
    pushes.lines.clear()
    await pushes.push(f"{address}/mounted:1")
    assert pushes.statuses().count("Mounted from origin") == 2
    assert manifest(address, "mounted", "1") == manifest(address, "origin", "1")


async def test_what_was_pulled_has_the_same_digest(pushes: Pushes, address: str) -> None:
    Shelf(address, "pulled").image("1", IMAGE)
    puller = Puller(pushes.kit.images.content, RegistryClient(LOOPBACK))
    await puller.pull(
        Reference.parse(f"{address}/pulled:1"), "", Credentials(), pushes.lines.append
    )
    await pushes.kit.images.tag(f"{address}/pulled:1", f"{address}/again:1")
    await pushes.push(f"{address}/again:1")
    assert manifest(address, "again", "1") == manifest(address, "pulled", "1")


_OCI = "application/vnd.oci.image."


def oci_manifest(shelf: Shelf, built: Built, packs: list[Callable[[bytes], bytes]]) -> str:
    """Put an image with OCI's manifest, which is not written as davit would; return its digest."""
    kinds = {gzip.compress: "+gzip", bytes: ""}
    return shelf.manifest(
        "1",
        {
            "mediaType": f"{_OCI}manifest.v1+json",
            "annotations": {"who": "a stranger"},
            "schemaVersion": 2,
            "config": {"mediaType": f"{_OCI}config.v1+json", **shelf.blob(built.body)},
            "layers": [
                {
                    "mediaType": f"{_OCI}layer.v1.tar{kinds.get(pack, '+zstd')}",
                    **shelf.blob(pack(layer)),
                }
                for layer, pack in zip(built.layers, packs, strict=True)
            ],
        },
    )


async def pull(pushes: Pushes, name: str) -> None:
    puller = Puller(pushes.kit.images.content, RegistryClient(LOOPBACK))
    await puller.pull(Reference.parse(name), "", Credentials(), pushes.lines.append)


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.compress, bytes], ids=["gzip", "zstd", "plain"]
)
async def test_the_manifest_goes_as_it_came(
    pushes: Pushes, address: str, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    built = busybox(extra=[files({"kept": pack.__name__})])
    made = oci_manifest(Shelf(address, f"kept-{pack.__name__}"), built, [gzip.compress, pack])
    await pull(pushes, f"{address}/kept-{pack.__name__}:1")
    await pushes.kit.images.prune(Filters({}))
    await pushes.kit.restart()
    again = Pushes(pushes.kit)
    with registry(tmp_path) as other:
        await pushes.kit.images.tag(built.id, f"{other}/copy:2")
        await again.push(f"{other}/copy:2")
        assert again.digest() == made
        assert f"{other}/copy@{made}" in pushes.kit.images.resolve(built.id).digests
        # A store that has nothing gets all that the manifest promises.
        await pushes.kit.images.remove(built.id, force=True)
        assert await pushes.kit.contents() == EMPTY
        await pull(again, f"{other}/copy@{made}")
    assert again.kit.images.resolve(f"{other}/copy@{made}").id == built.id


async def test_an_image_of_an_index_keeps_its_own_manifest(pushes: Pushes, address: str) -> None:
    built = busybox(extra=[files({"platform": "mine"})])
    shelf = Shelf(address, "indexed")
    index = shelf.index("1", built)
    (mine,) = json.loads(shelf.raw(index))["manifests"]
    await pull(pushes, f"{address}/indexed:1")
    assert pushes.kit.images.resolve(built.id).digests == (f"{address}/indexed@{index}",)
    await pushes.kit.images.tag(built.id, f"{address}/alone:1")
    await pushes.push(f"{address}/alone:1")
    assert pushes.digest() == mine["digest"]
    assert pushes.kit.images.resolve(built.id).digests == (
        f"{address}/indexed@{index}",
        f"{address}/alone@{mine['digest']}",
    )


async def test_a_loaded_layout_keeps_its_manifests(pushes: Pushes, address: str) -> None:
    built = busybox(f"{address}/layout:1", extra=[files({"from": "a layout"})])
    archive = oci_archive(built)
    await pushes.kit.images.load(chunks(archive), pushes.lines.append)
    await pushes.push(f"{address}/layout:1")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        (descriptor,) = json.load(index)["manifests"]
    assert pushes.digest() == descriptor["digest"]


async def test_a_manifest_that_does_not_fit_any_more_is_made_anew(
    pushes: Pushes, address: str
) -> None:
    """One layer was here already, compressed in another way."""
    built = busybox(extra=[files({"shared": "layer"})])
    await pushes.load(f"{address}/mine:1", built)
    await pushes.push(f"{address}/mine:1")
    mine = pushes.digest()
    oci_manifest(Shelf(address, "theirs"), built, [gzip.compress, zstandard.compress])
    await pull(pushes, f"{address}/theirs:1")
    await pushes.kit.images.tag(built.id, f"{address}/both:1")
    await pushes.push(f"{address}/both:1")
    assert pushes.digest() == mine


async def test_what_is_removed_meanwhile_is_pushed_and_then_gone(
    pushes: Pushes, proxy: FaultyProxy, address: str
) -> None:
    built = busybox(extra=[files({"gone": "soon"})])
    await pushes.load(f"{proxy.address}/leaving:1", built)
    proxy.faults = [Fault("/leaving/blobs/uploads/", status=503, times=2)]
    retrying = asyncio.Event()

    def report(line: Progress) -> None:
        if line.status.startswith("Retrying"):
            retrying.set()

    name = Reference.parse(f"{proxy.address}/leaving:1")
    pushing = asyncio.create_task(pushes.pusher.push(name, Credentials(), report))
    await asyncio.wait_for(retrying.wait(), 20)
    await pushes.kit.images.remove(built.id, force=True)
    assert len(pushes.kit.layers.all()) == 2
    await pushing
    assert manifest(address, "leaving", "1")["config"]["digest"] == built.id
    assert pushes.kit.rows.all() == []
    await pushes.kit.images.prune(Filters({}))
    assert await pushes.kit.contents() == EMPTY


async def test_a_layer_that_another_push_compresses_meanwhile(
    pushes: Pushes, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has layers as its manifest says, uncompressed; the other one has them compressed."""
    layers = [files({"both": "have this"}), files({"and": "this"})]
    first = Built(layers=layers, config={"Cmd": ["1"]})
    second = Built(layers=layers, tags=[f"{address}/second:1"], config={"Cmd": ["2"]})
    made = oci_manifest(Shelf(address, "plain"), first, [bytes, bytes])
    await pull(pushes, f"{address}/plain:1")
    await pushes.kit.images.tag(first.id, f"{address}/first:1")
    await pushes.kit.load(second)
    plain = {layer.blob for layer in pushes.kit.layers.all()}
    real = upload.has_blob
    other = Pushes(pushes.kit)

    async def has_blob(repository: Repository, wanted: str) -> bool:
        """Before the first one's first layer is sent, its second one is not looked at yet."""
        if not other.lines:
            await other.push(f"{address}/second:1")
            await pushes.kit.images.content.sweep()
        return await real(repository, wanted)

    monkeypatch.setattr("davit.drivers.registry.upload.has_blob", has_blob)
    monkeypatch.setattr("davit.services.images.push.PARALLEL", 1)
    await pushes.push(f"{address}/first:1")
    assert pushes.digest() == made
    assert manifest(address, "second", "1")["config"]["digest"] == second.id
    # What was held for the push only, goes after it.
    await pushes.kit.images.content.sweep()
    assert plain.isdisjoint(layer.blob for layer in pushes.kit.layers.all())
    left = (await pushes.kit.contents())["blobs"]
    assert plain.isdisjoint(f"sha256:{blob}" for blob in left)


async def test_all_tags(pushes: Pushes, address: str) -> None:
    for tag in ("1", "2"):
        await pushes.load(f"{address}/all:{tag}")
    await pushes.push(f"{address}/all")
    assert manifest(address, "all", "1") == manifest(address, "all", "2")


async def test_a_tag_that_is_not_there(pushes: Pushes, address: str) -> None:
    with pytest.raises(NotFound, match="An image does not exist locally with the tag: "):
        await pushes.push(f"{address}/nothing:1")
    assert pushes.lines == []


async def test_passwords(pushes: Pushes, tmp_path_factory: pytest.TempPathFactory) -> None:
    with registry(tmp_path_factory.mktemp("guarded"), auth=True) as guarded:
        name = f"{guarded}/box:1"
        await pushes.load(name)
        with pytest.raises(Forbidden, match="no basic auth credentials"):
            await pushes.push(name)
        await pushes.push(name, Credentials(USER, PASSWORD))
        assert pushes.statuses().count("Pushed") == 2


async def test_a_busy_registry_is_asked_again(pushes: Pushes, proxy: FaultyProxy) -> None:
    name = f"{proxy.address}/busy:1"
    await pushes.load(name, busybox(extra=[files({"busy": "x"})]))
    proxy.faults = [
        Fault("/blobs/uploads/$", status=500),
        Fault("/blobs/uploads/.+", status=429, headers={"Retry-After": "1"}),
        Fault("/manifests/", status=503),
    ]
    await pushes.push(name)
    assert [fault.times for fault in proxy.faults] == [0, 0, 0]
    assert any(text.startswith("Retrying in ") for text in pushes.statuses())


async def test_what_cannot_be_mounted_is_uploaded(pushes: Pushes, proxy: FaultyProxy) -> None:
    await pushes.load(f"{proxy.address}/here:1", busybox(extra=[files({"n": "n"})]))
    await pushes.push(f"{proxy.address}/here:1")
    await pushes.kit.images.tag(f"{proxy.address}/here:1", f"{proxy.address}/there:1")
    pushes.lines.clear()
    refused = Fault(r"/there/blobs/uploads/\?.*mount=", status=403, times=2)
    proxy.faults = [refused]
    await pushes.push(f"{proxy.address}/there:1")
    assert refused.times == 0
    assert pushes.statuses().count("Pushed") == 2
