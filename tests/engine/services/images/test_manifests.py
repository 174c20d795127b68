"""What is read of manifests, and what is refused. Whole images: ``test_pull.py``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from davit.errors import DavitError, InvalidParameter, NotSupported
from davit.model.image import Descriptor
from davit.model.platform import Platform
from davit.services.images import manifests
from davit.services.images.manifests import Index
from tests.engine.imagekit import digest

CONFIG = {"mediaType": manifests.OCI_CONFIG, "digest": digest(b"c"), "size": 1}
LAYER = {"mediaType": f"{manifests.OCI_LAYER}+gzip", "digest": digest(b"l"), "size": 1}


def document(**changes: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [LAYER], **changes}).encode()


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"{", InvalidParameter, "is wrong"),
        (document(schemaVersion=1), NotSupported, "schema 1 are not supported"),
        (document(config={}), InvalidParameter, "Encountered remote ''"),
        (
            document(layers=[{**LAYER, "mediaType": manifests.DOCKER_LAYER, "urls": ["http://x"]}]),
            NotSupported,
            "foreign layer",
        ),
        (
            document(layers=[{**LAYER, "mediaType": f"{manifests.OCI_LAYER}+xz"}]),
            NotSupported,
            "tar, alone or with gzip or zstd",
        ),
        (document(layers=[{**LAYER, "digest": "sha512:aa"}]), InvalidParameter, "sha512:aa"),
        (document(layers=[{**LAYER, "digest": "sha256:../x"}]), InvalidParameter, "digest"),
        (document(layers=[{**LAYER, "size": -1}]), InvalidParameter, "size -1"),
    ],
)
def test_refused(body: bytes, kind: type[DavitError], words: str) -> None:
    with pytest.raises(kind) as caught:
        manifests.read(body, "", "x:1")
    assert words in caught.value.message
    assert "x:1" in caught.value.message


def test_a_digest_that_is_not_sha256() -> None:
    with pytest.raises(NotSupported, match="sha256 only"):
        manifests.read(document(), "sha512:aa", "x:1")


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (Platform(architecture="arm64"), 3),
        (Platform(architecture="arm", variant="v7"), 2),
        (Platform(architecture="arm", variant="v6"), 1),
        (Platform(architecture="amd64"), 0),
        (Platform(architecture="s390x"), None),
    ],
)
def test_the_closest_platform(wanted: Platform, number: int | None) -> None:
    offered = [("386", ""), ("arm", "v6"), ("arm", "v7"), ("arm64", "v8")]
    index = Index(
        manifests=[
            Descriptor(
                digest=digest(bytes([entry])),
                platform={"os": "linux", "architecture": name, "variant": variant},
            )
            for entry, (name, variant) in enumerate(offered)
        ]
    )
    if number is None:
        with pytest.raises(LookupError, match="no matching manifest for linux/s390x"):
            manifests.choose(index, wanted, "x:1")
    else:
        assert manifests.choose(index, wanted, "x:1") is index.manifests[number]
