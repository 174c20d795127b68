"""What an image archive says it holds: ``manifest.json`` of docker save, or an OCI layout.

Pure: takes the archive's JSON documents by path, returns the images to make.
Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format"; OCI
image specification v1.1, image-layout.md, image-index.md, manifest.md.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from davit.errors import InvalidParameter, NotFound
from davit.model import codec
from davit.model.image import Descriptor
from davit.model.platform import Platform
from davit.model.reference import Reference, is_digest
from davit.store.blobs import check_digest, digest_of

T = TypeVar("T")

_MANIFEST = "manifest.json"
_INDEX = "index.json"
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_DEEPEST = 8
_ATTESTATION = "vnd.docker.reference.type"
_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An image in an archive. config: its bytes; layers: paths in the archive, lowest first.

    manifest: of an OCI layout whose layers are compressed, its bytes.
    """

    config: bytes
    config_name: str
    layers: list[str]
    tags: tuple[str, ...] = ()
    manifest: bytes = b""


class _SaveEntry(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    repo_tags: list[str] = []
    layers: list[str] = []


class _Index(msgspec.Struct, frozen=True):
    manifests: list[Descriptor] = []


class _OciManifest(msgspec.Struct, frozen=True):
    config: Descriptor
    layers: list[Descriptor] = []


def blob_digest(path: str) -> str:
    """The digest that an OCI layout's path states, empty for any other path."""
    directory, name = posixpath.split(path)
    digest = f"sha256:{name}"
    return digest if directory == "blobs/sha256" and is_digest(digest) else ""


def find_images(documents: Mapping[str, bytes], wanted: Platform, *, named: bool) -> list[Found]:
    """Return the images of an archive. Raises InvalidParameter, NotFound (platform).

    named: whether the caller asked for this platform (then others are not taken for want of it).
    """
    if _MANIFEST in documents:
        return [_saved(documents, entry) for entry in _entries(documents[_MANIFEST])]
    if _INDEX in documents:
        index = _decode(documents[_INDEX], _Index, _INDEX)
        return [
            _oci(documents, descriptor, names)
            for descriptor, names in _select(documents, index, wanted, named)
        ]
    raise InvalidParameter(
        "this is not an image archive: it has neither manifest.json (docker save) nor index.json "
        "(OCI layout); a root file system is imported with POST /images/create?fromSrc=-"
    )


def _entries(body: bytes) -> list[_SaveEntry]:
    return _decode(body, list[_SaveEntry], _MANIFEST)


def _saved(documents: Mapping[str, bytes], entry: _SaveEntry) -> Found:
    path = posixpath.normpath(entry.config)
    body = _document(documents, path, _MANIFEST)
    digest = blob_digest(path) or f"sha256:{posixpath.basename(path).removesuffix('.json')}"
    if is_digest(digest):
        check_digest(f"the image configuration {path}", digest, digest_of(body))
    return Found(
        config=body,
        config_name=path,
        layers=[posixpath.normpath(layer) for layer in entry.layers],
        tags=tuple(Reference.parse(tag).tagged for tag in entry.repo_tags),
    )


def _oci(documents: Mapping[str, bytes], descriptor: Descriptor, names: tuple[str, ...]) -> Found:
    body = _blob(documents, descriptor)
    manifest = _decode(body, _OciManifest, descriptor.digest)
    return Found(
        config=_blob(documents, manifest.config),
        config_name=manifest.config.digest,
        layers=[_blob_path(layer) for layer in manifest.layers],
        tags=names,
        manifest=body if all(map(_is_compressed, manifest.layers)) else b"",
    )


def _is_compressed(layer: Descriptor) -> bool:
    """Registries get layers compressed, so a manifest that has others is of no use to them."""
    return layer.media_type.endswith(("gzip", "zstd"))


def _select(
    documents: Mapping[str, bytes], index: _Index, wanted: Platform, named: bool
) -> Iterator[tuple[Descriptor, tuple[str, ...]]]:
    """One manifest for each name: an index of many platforms gives the wanted one."""
    groups: dict[tuple[str, ...], list[Descriptor]] = {}
    for top in index.manifests:
        names = _names(top)
        groups.setdefault(names, []).extend(_manifests(documents, top, _DEEPEST))
    for names, manifests in groups.items():
        fitting = [item for item in manifests if _fits(item, wanted)]
        if not fitting and manifests and not named and len(manifests) == 1:
            fitting = manifests
        if not fitting and manifests:
            offered = ", ".join(_platform_text(item) for item in manifests)
            raise NotFound(
                f"the archive has no image for {wanted.os}/{wanted.architecture}, it has {offered}"
            )
        # Without names, each is an image of its own.
        for item in fitting[:1] if names else fitting:
            yield item, names


def _manifests(
    documents: Mapping[str, bytes], descriptor: Descriptor, depth: int
) -> Iterator[Descriptor]:
    if descriptor.media_type not in _INDEX_TYPES:
        if _ATTESTATION not in descriptor.annotations:
            yield descriptor
        return
    if depth == 0:
        raise InvalidParameter("the archive is damaged: its indexes are nested too deeply")
    nested = _decode(_blob(documents, descriptor), _Index, descriptor.digest)
    for child in nested.manifests:
        # What the archive lacks of an index is of other platforms, left out when it was saved.
        if _blob_path(child) in documents:
            yield from _manifests(documents, child, depth - 1)


def _fits(descriptor: Descriptor, wanted: Platform) -> bool:
    if not descriptor.platform.get("architecture"):
        return True
    return wanted.runs(
        Platform(
            os=str(descriptor.platform.get("os", "linux")),
            architecture=str(descriptor.platform["architecture"]),
            variant=str(descriptor.platform.get("variant", "")),
        )
    )


def _platform_text(descriptor: Descriptor) -> str:
    parts = (descriptor.platform.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(str(part) for part in parts if part)


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    full = descriptor.annotations.get(_NAME, "")
    name = descriptor.annotations.get(_REF_NAME, "")
    # By the OCI specification the second is often a bare tag, which names no image.
    text = full or (name if "/" in name or ":" in name else "")
    return (Reference.parse(text).tagged,) if text else ()


def _blob_path(descriptor: Descriptor) -> str:
    if not is_digest(descriptor.digest):
        raise InvalidParameter(
            f"the archive names a blob by the digest {descriptor.digest!r}: sha256 is needed"
        )
    return f"blobs/sha256/{descriptor.digest.removeprefix('sha256:')}"


def _blob(documents: Mapping[str, bytes], descriptor: Descriptor) -> bytes:
    body = _document(documents, _blob_path(descriptor), "the archive's index")
    check_digest(f"blob {descriptor.digest}", descriptor.digest, digest_of(body))
    return body


def _document(documents: Mapping[str, bytes], path: str, by: str) -> bytes:
    try:
        return documents[path]
    except KeyError:
        raise InvalidParameter(
            f"the archive is incomplete: {by} names {path!r}, which is not in it"
        ) from None


def _decode(body: bytes, shape: type[T], name: str) -> T:
    try:
        return codec.parse(body, shape)
    except InvalidParameter as error:
        raise InvalidParameter(f"the archive's {name} is wrong: {error}") from None
