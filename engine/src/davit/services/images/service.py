"""Images, as the API and the container services use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from davit.model.image import Image, Progress
from davit.services.images.content import Containers, Content
from davit.services.images.import_ import import_image
from davit.services.images.load import Report, load_images
from davit.store.blobs import BlobStore
from davit.store.images import ImageStore
from davit.store.layers import LayerStore

Publish = Callable[[str, str, str, Mapping[str, str]], None]


class ImageService:
    """Everything that can be done with images. publish: ``(type, action, actor, attributes)``."""

    def __init__(
        self,
        rows: ImageStore,
        blobs: BlobStore,
        layers: LayerStore,
        containers: Containers,
        publish: Publish,
    ) -> None:
        self._content = Content(blobs, layers, rows, containers)
        self._rows = rows
        self._layers = layers
        self._publish = publish

    async def open(self) -> None:
        """Read what is there and remove what a crash left; once, after the containers were read."""
        await self._content.open()

    def resolve(self, reference: str) -> Image:
        """Find an image by tag, digest or (short) ID.

        Raises NotFound; InvalidParameter for a text that can name no image, or names several.
        """
        return self._rows.get(reference)

    def directories(self, layers: Sequence[str]) -> list[Path]:
        """Return the unpacked directory of each diff ID, in the same order, as short paths."""
        return [self._layers.path(diff_id) for diff_id in layers]

    async def import_image(
        self,
        chunks: AsyncIterator[bytes],
        *,
        reference: str = "",
        message: str = "",
        changes: Sequence[str] = (),
        platform: str = "",
    ) -> Image:
        """Make an image of a root file system's tar. Raises InvalidParameter."""
        image = await import_image(
            self._content,
            chunks,
            reference=reference,
            message=message,
            changes=changes,
            wanted=platform,
        )
        self._publish("image", "import", image.id, {"name": reference or image.id})
        return image

    async def load(
        self, chunks: AsyncIterator[bytes], report: Report, *, platform: str = ""
    ) -> list[Image]:
        """Store all images of an archive, or none. Raises InvalidParameter."""
        loaded = await load_images(self._content, chunks, report, platform)
        for image, tags in loaded:
            for tag in tags:
                report(Progress(stream=f"Loaded image: {tag}\n"))
                self._publish("image", "load", image.id, {"name": tag})
            if not tags:
                report(Progress(stream=f"Loaded image ID: {image.id}\n"))
                self._publish("image", "load", image.id, {"name": image.id})
        return [image for image, _ in loaded]

    async def sweep(self) -> None:
        """Remove layers that nothing needs any more (after a container with the last hold)."""
        await self._content.sweep()
