"""Pure: what a manifest says, and which of an index's manifests is meant.

Source: OCI image specification v1.1 (manifest.md, image-index.md); Docker, "Image Manifest Version
2, Schema 2".
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from davit.errors import DavitError, InvalidParameter, NotFound, NotSupported
from davit.model import codec, platform
from davit.model.image import Descriptor
from davit.model.platform import Platform
from davit.model.reference import is_digest
from davit.store.blobs import check_digest, digest_of

T = TypeVar("T")

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"

_INDEXES = (DOCKER_LIST, OCI_INDEX)
_CONFIGS = (DOCKER_CONFIG, OCI_CONFIG)
_LAYERS = (
    DOCKER_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    OCI_LAYER,
    f"{OCI_LAYER}+gzip",
    f"{OCI_LAYER}+zstd",
)
_FOREIGN = ("foreign", "nondistributable")
_UNKNOWN = "unknown"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    config: Descriptor
    layers: list[Descriptor] = []
    media_type: str = ""


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    manifests: list[Descriptor]
    media_type: str = ""


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """What tells one kind of document from another."""

    schema_version: int = 0
    media_type: str = ""
    manifests: list[Any] | None = None
    config: dict[str, Any] | None = None


def read(body: bytes, expected: str, name: str) -> Manifest | Index:
    """Verify and read a manifest or an index. expected: its digest, or what the registry says.

    Raises InvalidParameter, NotSupported for what is no image of today.
    """
    _refuse_first_schema(body, name)
    if expected:
        if not is_digest(expected):
            raise NotSupported(f"{name} has the digest {expected!r}: davit knows sha256 only")
        check_digest(f"manifest {name}", expected, digest_of(body))
    shape = _decode(body, _Shape, name)
    if shape.media_type in _INDEXES or (shape.manifests is not None and shape.config is None):
        return _decode(body, Index, name)
    manifest = _decode(body, Manifest, name)
    _check(manifest, name)
    return manifest


def describes(body: bytes, image_id: str, blobs: list[str]) -> bool:
    """Whether this is the manifest of an image with these blobs as its layers, lowest first."""
    try:
        manifest = read(body, "", image_id)
    except DavitError:
        return False
    return (
        isinstance(manifest, Manifest)
        and manifest.config.digest == image_id
        and [layer.digest for layer in manifest.layers] == blobs
    )


def choose(index: Index, wanted: Platform, name: str) -> Descriptor:
    """Return the manifest for a platform. Raises NotFound as Docker words it."""
    images = [item for item in index.manifests if item.platform.get("os") != _UNKNOWN]
    number = platform.closest(wanted, [_platform(item, wanted) for item in images])
    if number is None:
        raise NotFound(
            f"no matching manifest for {wanted} in the manifest list entries of {name}: it has "
            + ", ".join(str(_platform(item, wanted)) for item in images)
        )
    return images[number]


def platforms(index: Index) -> list[dict[str, Any]]:
    """The platforms that an index names."""
    return [item.platform for item in index.manifests if item.platform]


def _platform(descriptor: Descriptor, wanted: Platform) -> Platform:
    """What a manifest is for; one that does not say is for all."""
    said = descriptor.platform
    return Platform(
        os=str(said.get("os") or wanted.os),
        architecture=str(said.get("architecture") or wanted.architecture),
        variant=str(said.get("variant") or ""),
    )


def _refuse_first_schema(body: bytes, name: str) -> None:
    # Before its digest, which is of the document without the signatures in it.
    with suppress(InvalidParameter):
        if codec.parse(body, _Shape).schema_version == 1:
            raise NotSupported(
                f"{name}: Docker Image Format v1 and Docker Image manifest version 2, schema 1 are "
                "not supported: pull and push the image with Docker 1.10 to 25, which writes it in "
                "the format of today"
            )


def _check(manifest: Manifest, name: str) -> None:
    kind = manifest.config.media_type
    if kind not in _CONFIGS:
        raise InvalidParameter(
            f"invalid or unsupported: Encountered remote {kind!r} when fetching {name}: it is no "
            "container image"
        )
    for layer in manifest.layers:
        if layer.urls or any(word in layer.media_type for word in _FOREIGN):
            raise NotSupported(
                f"{name} has the foreign layer {layer.digest}, which its registry does not hold: "
                "davit takes layers from the registry only: push the image with all its layers "
                "(dockerd --allow-nondistributable-artifacts), or load an archive that has them"
            )
        if layer.media_type not in _LAYERS:
            raise NotSupported(
                f"{name} has a layer of the kind {layer.media_type!r}: davit knows tar, alone or "
                "with gzip or zstd"
            )
    for descriptor in (manifest.config, *manifest.layers):
        if not is_digest(descriptor.digest) or descriptor.size < 0:
            raise InvalidParameter(
                f"the manifest {name} is wrong: a blob of digest {descriptor.digest!r} and size "
                f"{descriptor.size}"
            )


def _decode(body: bytes, shape: type[T], name: str) -> T:
    try:
        return codec.parse(body, shape)
    except InvalidParameter as error:
        raise InvalidParameter(f"the manifest {name} is wrong: {error}") from None
