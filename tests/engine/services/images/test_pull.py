"""Pulls from a real registry, and through a proxy that disturbs them."""

from __future__ import annotations

import asyncio
import lzma
import random
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import zstandard

from davit.drivers.registry.client import RegistryClient
from davit.errors import Forbidden, InvalidParameter, NotFound, Unavailable
from davit.model.filters import Filters
from davit.model.registry import Credentials
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.imagekit import Built, busybox, compress, digest, files, host_architecture
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.services.images.conftest import EMPTY, LOOPBACK, Kit, Pulls

NOISE = random.Random(7).randbytes(300_000)
IMAGE = busybox(extra=[files({"noise": NOISE}), files({"second": NOISE[::-1]})])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        Shelf(found, "box").image("1", IMAGE)
        yield found


@pytest.fixture
async def proxy(address: str) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(address).running() as running:
        yield running


async def test_by_tag(pulls: Pulls, address: str) -> None:
    image = await pulls.pull(f"{address}/box:1")
    made = digest(Shelf(address, "box").raw("1"))
    assert image.id == IMAGE.id
    assert image.tags == (f"{address}/box:1",)
    assert image.digests == (f"{address}/box@{made}",)
    for line in ("Pulling from box", f"Digest: {made}"):
        assert line in [entry.status for entry in pulls.lines]
    assert pulls.lines[-1].status == f"Status: Downloaded newer image for {address}/box:1"
    for layer in IMAGE.layers:
        shown = [text for text in pulls.statuses(layer) if text != "Waiting"]
        assert shown == [
            "Pulling fs layer",
            "Downloading",
            "Verifying Checksum",
            "Download complete",
            "Extracting",
            "Pull complete",
        ]
    contents = await pulls.kit.contents()
    assert contents["ingest"] == []
    assert len(contents["blobs"]) == 5  # the configuration and the manifest, too
    pulls.lines.clear()
    again = await pulls.pull(f"{address}/box:1")
    assert again == image
    assert pulls.lines[-1].status == f"Status: Image is up to date for {address}/box:1"


async def test_by_digest(pulls: Pulls, address: str) -> None:
    made = Shelf(address, "other").image("x", busybox())
    image = await pulls.pull(f"{address}/other@{made}")
    assert image.tags == ()
    assert image.digests == (f"{address}/other@{made}",)
    assert pulls.kit.images.resolve(f"{address}/other@{made}").id == image.id
    assert (await pulls.pull(f"{address}/other:x")).tags == (f"{address}/other:x",)


async def test_all_tags(pulls: Pulls, address: str, proxy: FaultyProxy) -> None:
    shelf = Shelf(address, "fleet")
    images = {tag: busybox(extra=[files({"tag": tag})]) for tag in ("1", "2", "3")}
    for tag, image in images.items():
        shelf.image(tag, image)
    # Three pages: two of one tag each, then what the registry itself says.
    page = "/v2/fleet/tags/list"
    proxy.faults = [
        Fault(
            rf"{page}{query}$",
            status=200,
            headers={"Link": f'<{page}?n=1&last={tag}>; rel="next"'},
            body=b'{"name": "fleet", "tags": ["%s"]}' % tag.encode(),
        )
        for query, tag in (("", "1"), (r"\?n=1&last=1", "2"))
    ]
    name = f"{proxy.address}/fleet"
    pulled = await pulls.pull_all(name)
    assert [image.id for image in pulled] == [images[tag].id for tag in ("1", "2", "3")]
    assert [image.tags for image in pulled] == [(f"{name}:{tag}",) for tag in ("1", "2", "3")]
    assert [fault.times for fault in proxy.faults] == [0, 0]
    assert proxy.count(page) == 3
    begun = [line.id for line in pulls.lines if line.status == "Pulling from fleet"]
    assert begun == ["1", "2", "3"]
    outcomes = [line.status for line in pulls.lines if line.status.startswith("Status: ")]
    assert outcomes == [f"Status: Downloaded newer image for {name}"]
    await pulls.pull_all(name)
    assert pulls.lines[-1].status == f"Status: Image is up to date for {name}"


async def test_all_tags_of_nothing(pulls: Pulls, proxy: FaultyProxy) -> None:
    with pytest.raises(NotFound, match="/nothing not found: name unknown"):
        await pulls.pull_all(f"{proxy.address}/nothing")
    for body, kind, words in (
        (b'{"tags": null}', NotFound, "it has no tags"),
        (b"[]", Unavailable, "no list of tags"),
    ):
        proxy.faults = [Fault("tags/list", status=200, body=body)]
        with pytest.raises(kind, match=words):
            await pulls.pull_all(f"{proxy.address}/box")


async def test_what_is_there_is_not_fetched(pulls: Pulls, proxy: FaultyProxy) -> None:
    await pulls.kit.load(busybox())
    await pulls.pull(f"{proxy.address}/box:1")
    assert pulls.statuses(IMAGE.layers[0]) == ["Already exists"]
    assert proxy.count(digest(compress(IMAGE.layers[0]))) == 0


async def test_platforms(pulls: Pulls, address: str) -> None:
    mine, other = (
        Built(layers=[files({"for": name})], platform={"os": "linux", "architecture": name})
        for name in (host_architecture(), "s390x")
    )
    unknown = Built(layers=[], platform={"os": "unknown", "architecture": "unknown"})
    made = Shelf(address, "many").index("1", other, mine, unknown)
    assert (await pulls.pull(f"{address}/many:1")).id == mine.id
    image = await pulls.pull(f"{address}/many:1", "linux/s390x")
    assert image.id == other.id
    assert image.digests == (f"{address}/many@{made}",)
    # The name goes where it points now.
    assert pulls.kit.images.resolve(mine.id).digests == ()
    with pytest.raises(NotFound, match="no matching manifest for linux/ppc64le in the manifest"):
        await pulls.pull(f"{address}/many:1", "linux/ppc64le")


async def test_an_image_of_another_platform_alone(pulls: Pulls, address: str) -> None:
    other = Built(layers=[files({"a": "b"})], platform={"os": "linux", "architecture": "s390x"})
    Shelf(address, "alien").image("1", other)
    assert (await pulls.pull(f"{address}/alien:1", "linux/ppc64le")).id == other.id
    assert "WARNING: image with reference" in "\n".join(line.status for line in pulls.lines)


async def test_zstd_and_plain_layers(pulls: Pulls, address: str) -> None:
    shelf = Shelf(address, "oci")
    built = busybox(extra=[files({"a": "zstd"}), files({"b": "plain"})])
    packs = (compress, zstandard.ZstdCompressor().compress, bytes)
    kinds = ("+gzip", "+zstd", "")
    shelf.manifest(
        "1",
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **shelf.blob(built.body),
            },
            "layers": [
                {
                    "mediaType": f"application/vnd.oci.image.layer.v1.tar{kind}",
                    **shelf.blob(pack(layer)),
                }
                for layer, pack, kind in zip(built.layers, packs, kinds, strict=True)
            ],
        },
    )
    assert (await pulls.pull(f"{address}/oci:1")).id == built.id


@pytest.mark.parametrize("pack", [zstandard.ZstdCompressor().compress, bytes, lzma.compress])
async def test_the_contents_tell_how_a_layer_is_compressed(
    pulls: Pulls, address: str, pack: Callable[[bytes], bytes]
) -> None:
    """Whatever its media type says; so it is with Docker."""
    Shelf(address, "liar").image("1", busybox(), pack)
    assert (await pulls.pull(f"{address}/liar:1")).id == busybox().id


async def test_a_layer_that_is_too_large(pulls: Pulls, address: str) -> None:
    pulls.kit.max_layer_size = 1 << 20
    await pulls.kit.restart()
    bomb = Built(layers=[files({"zeros": bytes(1 << 20)})])
    Shelf(address, "bomb").image("1", bomb)
    name = digest(compress(bomb.layers[0]))
    with pytest.raises(InvalidParameter, match=f"{name} unpacks to more than .* max-layer-size"):
        await Pulls(pulls.kit).pull(f"{address}/bomb:1")
    assert await pulls.kit.contents() == EMPTY


async def test_unknown_names(pulls: Pulls, address: str) -> None:
    for name in (f"{address}/box:nope", f"{address}/nowhere:1"):
        with pytest.raises(NotFound) as caught:
            await pulls.pull(name)
        assert caught.value.message.startswith(f"manifest for {name} not found: manifest unknown")
    assert await pulls.kit.contents() == EMPTY


async def test_passwords(pulls: Pulls, tmp_path_factory: pytest.TempPathFactory) -> None:
    with registry(tmp_path_factory.mktemp("guarded"), auth=True) as guarded:
        shelf = Shelf(guarded, "box", {"Authorization": Credentials(USER, PASSWORD).basic})
        shelf.image("1", busybox())
        with pytest.raises(Forbidden, match="no basic auth credentials"):
            await pulls.pull(f"{guarded}/box:1")
        with pytest.raises(Forbidden, match="unauthorized: authentication required"):
            await pulls.pull(f"{guarded}/box:1", credentials=Credentials(USER, "wrong"))
        image = await pulls.pull(f"{guarded}/box:1", credentials=Credentials(USER, PASSWORD))
        assert image.id == busybox().id


# --- what goes wrong on the way


@pytest.mark.parametrize("knows_ranges", [True, False])
async def test_a_connection_that_is_cut_is_resumed(
    pulls: Pulls, proxy: FaultyProxy, knows_ranges: bool
) -> None:
    proxy.knows_ranges = knows_ranges
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [Fault(f"/blobs/{noise}", cut=100_000)]
    assert (await pulls.pull(f"{proxy.address}/box:1")).id == IMAGE.id
    assert proxy.count(noise) == 2
    (begin,) = proxy.ranges
    assert 0 < int(begin.removeprefix("bytes=").removesuffix("-")) <= 100_000
    assert "Retrying in 1 seconds" in pulls.statuses(IMAGE.layers[1])


async def test_a_body_that_ends_too_early_is_resumed(pulls: Pulls, proxy: FaultyProxy) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [Fault(f"/blobs/{noise}", short=50_000)]
    assert (await pulls.pull(f"{proxy.address}/box:1")).id == IMAGE.id
    assert proxy.ranges == ["bytes=50000-"]


async def test_a_busy_registry_is_asked_again(pulls: Pulls, proxy: FaultyProxy) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [
        Fault("/manifests/", status=500),
        Fault(f"/blobs/{IMAGE.id}", status=503),
        Fault(f"/blobs/{noise}", status=429, headers={"Retry-After": "2"}),
    ]
    assert (await pulls.pull(f"{proxy.address}/box:1")).id == IMAGE.id
    assert "Retrying in 2 seconds" in pulls.statuses(IMAGE.layers[1])


async def test_who_shall_wait_too_long_is_told(pulls: Pulls, proxy: FaultyProxy) -> None:
    proxy.faults = [Fault("/manifests/", status=429, headers={"Retry-After": "86400"})]
    with pytest.raises(Unavailable, match="429 Too Many Requests"):
        await pulls.pull(f"{proxy.address}/box:1")


async def test_wrong_bytes_are_refused(pulls: Pulls, proxy: FaultyProxy) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    for fault in (
        Fault(f"/blobs/{noise}", swap=b"\x1f\x8b noise"),
        Fault(f"/blobs/{IMAGE.id}", swap=b"{}"),
        Fault("/manifests/", swap=b"{}"),
    ):
        proxy.faults = [fault]
        with pytest.raises(InvalidParameter, match="is damaged or was tampered with"):
            await pulls.pull(f"{proxy.address}/box:1")
        assert fault.times == 0
        await pulls.kit.images.prune(Filters({}))
        assert await pulls.kit.contents() == EMPTY


async def test_wrong_bytes_behind_a_cut_are_fetched_again(pulls: Pulls, proxy: FaultyProxy) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [
        Fault(f"/blobs/{noise}", cut=100_000),
        Fault(f"/blobs/{noise}", swap=b"other bytes"),
    ]
    assert (await pulls.pull(f"{proxy.address}/box:1")).id == IMAGE.id
    assert proxy.count(noise) == 3


# --- together, and cancelled


async def _until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    for _ in range(3000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def test_two_pulls_share_the_work(pulls: Pulls, proxy: FaultyProxy) -> None:
    second = Pulls(pulls.kit)
    second.puller = pulls.puller
    gate = asyncio.Event()
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [Fault(f"/blobs/{noise}", gate=gate)]
    name = f"{proxy.address}/box:1"
    first = asyncio.create_task(pulls.pull(name))
    await _until(lambda: proxy.count(noise) == 1)
    other = asyncio.create_task(second.pull(name))
    await _until(lambda: bool(second.statuses(IMAGE.layers[1])))
    # Who began it goes away; the other still gets it.
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    assert (await other).id == IMAGE.id
    assert proxy.count(noise) == 1


async def test_a_cancelled_pull_keeps_what_is_finished(pulls: Pulls, proxy: FaultyProxy) -> None:
    gate = asyncio.Event()
    noise, second = (digest(compress(layer)) for layer in IMAGE.layers[1:])
    proxy.faults = [Fault(f"/blobs/{noise}", gate=gate)]
    running = asyncio.create_task(pulls.pull(f"{proxy.address}/box:1"))
    await _until(lambda: "Pull complete" in pulls.statuses(IMAGE.layers[2]))
    running.cancel()
    await asyncio.wait([running])
    gate.set()
    assert (await pulls.kit.contents())["ingest"] == []
    # A sweep in between does not take it away.
    await pulls.kit.images.content.sweep()
    await pulls.pull(f"{proxy.address}/box:1")
    assert (proxy.count(noise), proxy.count(second)) == (2, 1)


async def test_a_crash_leaves_nothing(pulls: Pulls, proxy: FaultyProxy) -> None:
    noise = digest(compress(IMAGE.layers[1]))
    proxy.faults = [Fault(f"/blobs/{noise}", swap=b"x")]
    with pytest.raises(InvalidParameter):
        await pulls.pull(f"{proxy.address}/box:1")
    pulls.kit.grace = 0
    await pulls.kit.restart()
    assert await pulls.kit.contents() == EMPTY


async def test_a_mirror_goes_first(kit: Kit, proxy: FaultyProxy, address: str) -> None:
    Shelf(address, "library/mirrored").image("latest", busybox())
    client = RegistryClient(LOOPBACK, mirrors=["http://127.0.0.1:1", f"http://{proxy.address}/"])
    image = await Pulls(kit, client).pull("mirrored")
    assert image.tags == ("mirrored:latest",)
    assert proxy.count("/v2/library/mirrored/manifests/latest") == 1
