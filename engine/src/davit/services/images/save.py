"""Save: images as one archive that is both docker save's format and an OCI layout.

Layers are written uncompressed, so that their digests are the diff IDs and the same images give
the same bytes wherever they came from.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import aclosing
from typing import Any

import msgspec

from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.header import BLOCK
from davit.drivers.tar.stream import Hashed, drawn, pieces
from davit.errors import InvalidParameter, SystemFailure
from davit.model import codec
from davit.model.image import Image, Layer
from davit.model.reference import Reference
from davit.services.images.content import Content
from davit.store.blobs import digest_of

_OCI = "application/vnd.oci.image."
_MANIFEST = _OCI + "manifest.v1+json"
_INDEX = _OCI + "index.v1+json"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """An image to save, with the tags to save it under."""

    image: Image
    tags: tuple[str, ...]


def choose(content: Content, names: Iterable[str]) -> list[Choice]:
    """Find what to save; a repository without a tag means all its tags. Raises NotFound."""
    chosen: dict[str, Choice] = {}

    def add(image: Image, tags: Iterable[str]) -> None:
        known = chosen[image.id].tags if image.id in chosen else ()
        chosen[image.id] = Choice(image=image, tags=tuple(dict.fromkeys((*known, *tags))))

    for name in names:
        repository = _bare_repository(name)
        members = [
            (image, tag)
            for image in content.rows.all()
            for tag in image.tags
            if Reference.parse(tag).repository == repository
        ]
        for image, tag in members:
            add(image, [tag])
        if not members:
            image = content.rows.get(name)
            add(image, [tag for tag in image.tags if tag == _tagged(name)])
    return list(chosen.values())


async def save(content: Content, chosen: Iterable[Choice]) -> AsyncGenerator[bytes, None]:
    """Yield the archive. Raises SystemFailure when a layer is damaged on disk."""
    chosen = list(chosen)
    with content.hold_images(choice.image for choice in chosen):
        async with aclosing(drawn(_archive(content, chosen))) as pieces:
            async for piece in pieces:
                yield piece


def _archive(content: Content, chosen: list[Choice]) -> Generator[bytes, None, None]:
    layers = {
        diff_id: content.layers.get(diff_id) for choice in chosen for diff_id in choice.image.layers
    }
    documents: dict[str, bytes] = {}
    entries: list[dict[str, Any]] = []
    descriptors: list[dict[str, Any]] = []
    for choice in chosen:
        config = content.blobs.read(choice.image.id)
        used = [layers[diff_id] for diff_id in choice.image.layers]
        manifest = _manifest(choice.image, config, used)
        documents[_path(choice.image.id)] = config
        documents[_path(digest_of(manifest))] = manifest
        descriptor = _descriptor(_MANIFEST, digest_of(manifest), len(manifest))
        descriptors += [{**descriptor, **_names(tag)} for tag in choice.tags or ("",)]
        entries.append(
            {
                "Config": _path(choice.image.id),
                "RepoTags": list(choice.tags) or None,
                "Layers": [_path(layer.diff_id) for layer in used],
            }
        )
    documents["index.json"] = codec.encode(
        {"schemaVersion": 2, "mediaType": _INDEX, "manifests": descriptors}
    )
    documents["manifest.json"] = codec.encode(entries)
    documents["oci-layout"] = codec.encode({"imageLayoutVersion": "1.0.0"})
    for layer in layers.values():
        yield _header(_path(layer.diff_id), layer.tar_size)
        yield from contents(content, content.layers.get(layer.diff_id))
        yield bytes(-layer.tar_size % BLOCK)
    for name, body in documents.items():
        yield _header(name, len(body)) + body + bytes(-len(body) % BLOCK)
    yield bytes(2 * BLOCK)


def contents(content: Content, layer: Layer) -> Iterator[bytes]:
    """Yield a layer uncompressed; blocks. Raises SystemFailure when its blob is damaged."""
    with content.blob(layer) as blob:
        hashed = Hashed(decompressed(blob))
        try:
            yield from pieces(hashed)
        except InvalidParameter as error:
            raise SystemFailure(f"blob {layer.blob} is damaged on disk: {error}") from None
    if hashed.digest != layer.diff_id:
        raise SystemFailure(
            f"blob {layer.blob} is damaged on disk: it unpacks to {hashed.digest}, expected "
            f"{layer.diff_id}: load the image again"
        )


def _manifest(image: Image, config: bytes, layers: list[Layer]) -> bytes:
    return codec.encode(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_OCI + "config.v1+json", image.id, len(config)),
            "layers": [
                _descriptor(_OCI + "layer.v1.tar", layer.diff_id, layer.tar_size)
                for layer in layers
            ],
        }
    )


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size}


def _names(tag: str) -> dict[str, Any]:
    if not tag:
        return {}
    reference = Reference.parse(tag)
    return {
        "annotations": {
            "io.containerd.image.name": f"{reference.domain}/{reference.path}:{reference.tag}",
            "org.opencontainers.image.ref.name": reference.tag,
        }
    }


def _path(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _bare_repository(name: str) -> str:
    """The repository when the name has neither tag nor digest and is no full ID."""
    try:
        reference = Reference.parse(name)
    except InvalidParameter:
        return ""
    return "" if reference.tag or reference.digest else reference.repository


def _tagged(name: str) -> str:
    try:
        return Reference.parse(name).tagged
    except InvalidParameter:
        return ""
