"""What a real registry has and no pull takes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from davit.errors import InvalidParameter, NotSupported
from tests.engine.faultkit import Fault, FaultyProxy
from tests.engine.imagekit import busybox, compress, digest, files
from tests.engine.registrykit import Shelf, registry
from tests.engine.services.images.conftest import EMPTY, Pulls


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
async def proxy(address: str) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(address).running() as running:
        yield running


def _image(address: str, path: str, **changes: Any) -> None:
    """Put the image box:1 under another name, with a manifest changed."""
    shelf = Shelf(address, path)
    shelf.image("0", busybox())
    shelf.manifest("1", {**json.loads(shelf.raw("0")), **changes})


async def test_what_is_no_image(pulls: Pulls, address: str) -> None:
    shelf = Shelf(address, "chart")
    blob = shelf.blob(b"{}")
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", **blob}
    _image(address, "chart", config=config)
    with pytest.raises(InvalidParameter, match="Encountered remote 'application"):
        await pulls.pull(f"{address}/chart:1")


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
async def test_a_foreign_layer(pulls: Pulls, address: str, proxy: FaultyProxy, kind: str) -> None:
    shelf = Shelf(address, "windows")
    shelf.image("0", busybox())
    made = json.loads(shelf.raw("0"))
    away = {"mediaType": kind, "digest": digest(b"away"), "size": 4, "urls": ["http://127.0.0.1:1"]}
    if ".oci." in kind:
        made["mediaType"] = "application/vnd.oci.image.manifest.v1+json"
        made["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    shelf.manifest("1", {**made, "layers": [*made["layers"], away]})
    with pytest.raises(NotSupported, match="windows:1 has the foreign layer sha256:"):
        await pulls.pull(f"{proxy.address}/windows:1")
    assert proxy.count("/manifests/") == 1
    assert proxy.count("/blobs/") == 0


async def test_the_first_schema(pulls: Pulls, proxy: FaultyProxy) -> None:
    body = json.dumps({"schemaVersion": 1, "fsLayers": [], "history": [], "signatures": []})
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    # The digest is that of the document before it was signed.
    headers = {"Content-Type": kind, "Docker-Content-Digest": digest(b"unsigned")}
    proxy.faults = [Fault("/manifests/", status=200, headers=headers, body=body.encode())]
    with pytest.raises(NotSupported, match="schema 1 are not supported: pull and push the image"):
        await pulls.pull(f"{proxy.address}/box:1")
    assert proxy.count("/blobs/") == 0


async def test_a_manifest_that_does_not_fit_its_configuration(pulls: Pulls, address: str) -> None:
    shelf = Shelf(address, "odd")
    kind = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
    for layers in ([], [{**kind, **shelf.blob(compress(files({"a": "b"})))}]):
        _image(address, "odd", layers=layers)
        with pytest.raises(InvalidParameter, match="layers from manifest don't match"):
            await pulls.pull(f"{address}/odd:1")
    assert await pulls.kit.contents() == EMPTY


async def test_more_bytes_than_the_manifest_says(pulls: Pulls, address: str) -> None:
    shelf = Shelf(address, "long")
    layer = shelf.blob(compress(busybox().layers[0]))
    kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    _image(address, "long", layers=[{"mediaType": kind, **layer, "size": 1000}])
    with pytest.raises(InvalidParameter, match="larger than its manifest says"):
        await pulls.pull(f"{address}/long:1")
    assert await pulls.kit.contents() == EMPTY
