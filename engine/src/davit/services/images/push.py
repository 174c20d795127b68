"""Push: the layers that the registry lacks, the configuration, and then the manifest."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from typing import Any

from davit.drivers.registry import upload
from davit.drivers.registry.client import RegistryClient
from davit.drivers.registry.repository import Repository, again
from davit.drivers.tar.stream import drawn, pieces, skip
from davit.errors import Forbidden, NotFound, Unauthorized, Unavailable
from davit.model import ids
from davit.model.image import Amount, Image, Layer, Progress
from davit.model.reference import Reference
from davit.model.registry import Credentials
from davit.services.images import manifests
from davit.services.images.content import Content
from davit.services.images.packed import Packer
from davit.services.images.pull import refusal
from davit.services.images.together import together
from davit.store.blobs import digest_of

Report = Callable[[Progress], None]
Tell = Callable[..., None]

PARALLEL = 5
"""Uploads at a time, as many as Docker's ``max-concurrent-uploads``."""
_MOUNTS = 4
_PAUSE = 0.1


class Pusher:
    """Pushes images of a store."""

    def __init__(self, content: Content, client: RegistryClient) -> None:
        self._content = content
        self._client = client
        self._packer = Packer(content)

    async def push(self, reference: Reference, credentials: Credentials, report: Report) -> None:
        """Push a tag, or without one all tags of the repository.

        Raises NotFound when there is none, Forbidden with the registry's words, Unavailable.
        """
        chosen = self._choose(reference)
        report(
            Progress(status=f"The push refers to repository [{reference.domain}/{reference.path}]")
        )
        opening = self._client.repository(
            reference.domain, reference.path, credentials, "pull,push"
        )
        try:
            with self._content.hold_images(image for _, image in chosen):
                async with opening as repository:
                    for tag, image in chosen:
                        await self._push(repository, reference, tag, image, report)
        except Unauthorized as error:
            raise refusal(reference, error) from None

    def _choose(self, reference: Reference) -> list[tuple[str, Image]]:
        chosen = [
            (parsed.tag, image)
            for image in self._content.rows.all()
            for parsed in map(Reference.parse, image.tags)
            if parsed.repository == reference.repository and reference.tag in ("", parsed.tag)
        ]
        if not chosen:
            raise NotFound(
                f"An image does not exist locally with the tag: {reference.repository}"
                + (f":{reference.tag}" if reference.tag else "")
            )
        return chosen

    async def _push(
        self, repository: Repository, reference: Reference, tag: str, image: Image, report: Report
    ) -> None:
        slots = asyncio.Semaphore(PARALLEL)
        done: dict[str, tuple[Layer, str]] = {}
        # As they are now, and held: another push may put a compressed blob in the place of one.
        layers = {diff_id: self._content.layers.get(diff_id) for diff_id in image.layers}
        kept = await asyncio.to_thread(self._kept, image, layers)

        async def push_layer(diff_id: str) -> None:
            def tell(status: str, current: int = 0, total: int = 0) -> None:
                amount = Amount(current=current, total=total)
                report(Progress(status=status, detail=amount, id=ids.short(diff_id)))

            tell("Preparing")
            if slots.locked():
                tell("Waiting")
            async with slots:
                if kept:
                    done[diff_id] = layers[diff_id], ""
                else:
                    done[diff_id] = await self._packer.packed(diff_id)
                await self._layer(repository, reference, done[diff_id][0], tell)

        await together(push_layer(diff_id) for diff_id in dict.fromkeys(image.layers))
        config = await asyncio.to_thread(self._content.blobs.read, image.id)
        if not await again(lambda: upload.has_blob(repository, image.id)):
            await upload.put_blob(
                repository, image.id, len(config), lambda offset: config[offset:], lambda _: None
            )
        sent = [done[diff_id] for diff_id in image.layers]
        kind, body = kept or _manifest(image.id, len(config), sent)
        await again(lambda: upload.put_manifest(repository, tag, kind, body))
        digest = digest_of(body)
        if self._content.rows.find(image.id) is not None:  # it may have been removed meanwhile
            await self._content.rows.tag([(image, [f"{reference.repository}@{digest}"])])
        report(Progress(status=f"{tag}: digest: {digest} size: {len(body)}"))
        report(Progress(aux={"Tag": tag, "Digest": digest, "Size": len(body)}))

    def _kept(self, image: Image, layers: dict[str, Layer]) -> tuple[str, bytes] | None:
        """The manifest that the image came with, and its media type, if its layers are these."""
        if not image.manifest:
            return None
        body = self._content.blobs.read(image.manifest)
        blobs = [layers[diff_id].blob for diff_id in image.layers]
        if not manifests.describes(body, image.id, blobs):
            return None
        manifest = manifests.read(body, image.manifest, image.id)
        return manifest.media_type or manifests.OCI, body

    async def _layer(
        self, repository: Repository, reference: Reference, layer: Layer, tell: Tell
    ) -> None:
        if await again(lambda: upload.has_blob(repository, layer.blob)):
            tell("Layer already exists")
            return
        for origin in self._origins(reference, layer.diff_id)[:_MOUNTS]:
            try:
                mounted = await upload.mount_blob(repository, layer.blob, origin)
            except (Forbidden, NotFound, Unauthorized, Unavailable):
                # Then it is uploaded.
                continue
            if mounted:
                tell(f"Mounted from {origin}")
                return

        def waiting(seconds: float) -> None:
            tell(f"Retrying in {max(1, round(seconds))} seconds")

        def body(offset: int) -> AsyncIterator[bytes]:
            return self._counted(layer, offset, tell)

        await upload.put_blob(repository, layer.blob, layer.blob_size, body, waiting)
        tell("Pushed")

    def _origins(self, reference: Reference, diff_id: str) -> list[str]:
        """Repositories of this registry where the layer was pulled from or pushed to."""
        names = [
            Reference.parse(name)
            for image in self._content.rows.all()
            if diff_id in image.layers
            for name in image.digests
        ]
        found = [name.path for name in names if name.domain == reference.domain]
        return [path for path in dict.fromkeys(found) if path != reference.path]

    async def _counted(self, layer: Layer, offset: int, tell: Tell) -> AsyncIterator[bytes]:
        """Read a blob from an offset on and tell how far it is, ten times a second."""
        sent, told = offset, 0.0
        async with aclosing(drawn(self._read(layer, offset))) as blob:
            async for piece in blob:
                yield piece
                sent += len(piece)
                if time.monotonic() - told >= _PAUSE:
                    told = time.monotonic()
                    tell("Pushing", sent, layer.blob_size)

    def _read(self, layer: Layer, offset: int) -> Generator[bytes, None, None]:
        with self._content.blob(layer) as blob:
            skip(blob, offset)
            yield from pieces(blob)


def _manifest(image_id: str, size: int, layers: list[tuple[Layer, str]]) -> tuple[str, bytes]:
    """Return media type and bytes, as Docker writes them; OCI's where a layer is zstd."""
    is_docker = all(kind == "gzip" for _, kind in layers)
    media_type = manifests.DOCKER if is_docker else manifests.OCI
    config = manifests.DOCKER_CONFIG if is_docker else manifests.OCI_CONFIG

    def layer_type(kind: str) -> str:
        return manifests.DOCKER_LAYER if is_docker else f"{manifests.OCI_LAYER}+{kind}"

    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config, "size": size, "digest": image_id},
        "layers": [
            {"mediaType": layer_type(kind), "size": layer.blob_size, "digest": layer.blob}
            for layer, kind in layers
        ],
    }
    # The same blanks as Docker's: the same image has the same digest.
    return media_type, json.dumps(document, indent=3).encode()
