"""Images, as the API and the container services use them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from pathlib import Path

from davit.config import DEFAULT_GC_GRACE, DEFAULT_MAX_LAYER_SIZE
from davit.model.build import CacheRecord
from davit.model.filters import Filters
from davit.model.image import (
    CommitSource,
    CommitWish,
    Image,
    Listed,
    Progress,
    Removed,
    Step,
    StepWish,
)
from davit.services.images import query, remove
from davit.services.images.content import Containers, Content
from davit.store.blobs import BlobStore
from davit.store.images import ImageStore
from davit.store.layers import LayerStore

logger = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE = 60.0

Report = Callable[[Progress], None]
Publish = Callable[[str, str, str, Mapping[str, str]], None]


class ImageService:
    """Everything that can be done with images. publish: ``(type, action, actor, attributes)``.

    What makes images and writes archives is imported when it is first used.

    grace: seconds that layers are kept which nobody needs. max_layer_size: bytes that one may have
    as a tar, uncompressed.
    """

    def __init__(
        self,
        rows: ImageStore,
        blobs: BlobStore,
        layers: LayerStore,
        containers: Containers,
        publish: Publish,
        grace: float = DEFAULT_GC_GRACE,
        max_layer_size: int = DEFAULT_MAX_LAYER_SIZE,
    ) -> None:
        self.content = Content(blobs, layers, rows, containers, grace, max_layer_size)
        self._rows = rows
        self._layers = layers
        self._publish = publish

    async def open(self) -> None:
        """Find the layers and remove what a crash left; once, at start-up.

        The rows of images and containers must have been read before: what they name is kept.
        """
        await self.content.open()

    def resolve(self, reference: str) -> Image:
        """Find an image by tag, digest or (short) ID.

        Raises NotFound; InvalidParameter for a text that can name no image, or names several.
        """
        return self._rows.get(reference)

    def directories(self, layers: Sequence[str]) -> list[Path]:
        """Return the unpacked directories of these layers (diff IDs), lowest first, as short paths.

        One that comes twice (two steps that changed nothing) is there where it is highest. There it
        hides itself further down, and overlayfs takes a directory only once.
        """
        return [self._layers.path(diff_id) for diff_id in reversed(dict.fromkeys(layers[::-1]))]

    def select(
        self, filters: Filters, *, all_images: bool = False, shared: bool = False
    ) -> list[Listed]:
        """Images that pass the filters ``before``, ``since``, ``until``, ``dangling``, ``label``
        and ``reference``, newest first. shared: compute the size shared with other images.
        """
        return query.select(self.content, filters, all_images=all_images, shared=shared)

    def history(self, reference: str) -> list[Step]:
        """What made the image, newest first. Raises NotFound."""
        return query.history(self.content, self.resolve(reference))

    def layers_size(self) -> int:
        """Bytes of all unpacked layers, each counted once."""
        return query.layers_size(self.content)

    async def import_image(
        self,
        chunks: AsyncIterator[bytes],
        *,
        tag: str = "",
        message: str = "",
        changes: Sequence[str] = (),
        platform: str = "",
    ) -> Image:
        """Make an image of a root file system's tar, compressed or not.

        tag: ``repository:tag`` to give it. changes: Dockerfile instructions. Raises
        InvalidParameter.
        """
        from davit.services.images.import_ import import_image

        image = await import_image(
            self.content, chunks, tag=tag, message=message, changes=changes, wanted=platform
        )
        self._tell("import", image, tag)
        return image

    async def commit(self, source: CommitSource, wish: CommitWish) -> Image:
        """Make an image of a container's writable layer. Raises InvalidParameter."""
        from davit.services.images.commit import commit

        return await commit(self.content, source, wish)

    async def add_step(self, wish: StepWish) -> Image:
        """Make the image of a build's step. Raises SystemFailure."""
        from davit.services.images import step

        return await step.add(self.content, wish)

    @contextmanager
    def keep(self) -> Iterator[Callable[[Image], None]]:
        """Give what takes images that nobody may remove meanwhile, nor their layers."""
        with self.content.hold() as layers, self.content.pin() as pinned:

            def take(image: Image) -> None:
                layers.update(image.layers)
                pinned.add(image.id)

            yield take

    def all(self) -> list[Image]:
        """All images, also those that only are steps of others."""
        return self._rows.all()

    def steps(self) -> list[CacheRecord]:
        """What builds keep for later ones."""
        return remove.steps(self.content)

    async def remove_steps(self, wanted: Collection[str]) -> int:
        """Remove these of them that nothing uses; return the bytes gained."""
        return await remove.remove_steps(self.content, wanted, self._tell)

    async def load(
        self, chunks: AsyncIterator[bytes], report: Report, *, platform: str = ""
    ) -> list[Image]:
        """Store all images of an archive (docker save, OCI layout), or none of them.

        report: called in the event loop with each line of progress. Raises InvalidParameter.
        """
        from davit.services.images.load import load_images

        loaded = await load_images(self.content, chunks, report, platform)
        for image, tags in loaded:
            for tag in tags:
                report(Progress(stream=f"Loaded image: {tag}\n"))
                self._tell("load", image, tag)
            if not tags:
                report(Progress(stream=f"Loaded image ID: {image.id}\n"))
                self._tell("load", image)
        return [image for image, _ in loaded]

    def save(self, names: Sequence[str]) -> AsyncGenerator[bytes, None]:
        """Return an archive of these images. Raises NotFound before the first byte."""
        from davit.services.images import save

        chosen = save.choose(self.content, names)
        for choice in chosen:
            self._tell("save", choice.image)
        return save.save(self.content, chosen)

    async def tag(self, reference: str, tag: str) -> None:
        """Give an image the name ``repository:tag``, taken from who had it. Raises NotFound."""
        image = self.resolve(reference)
        await self._rows.tag([(image, [tag])])
        self._tell("tag", image, tag)

    async def remove(self, reference: str, *, force: bool = False) -> list[Removed]:
        """Take a tag off; delete the image with its last one, or when it is named by its ID.

        Raises NotFound; Conflict when a container uses it or several repositories name it.
        """
        return await remove.remove(self.content, reference, self._tell, force=force)

    async def prune(self, filters: Filters) -> tuple[list[Removed], int]:
        """Remove images that no container uses; return what was done and the bytes gained."""
        removed, gained = await remove.prune(self.content, filters, self._tell)
        self._publish("image", "prune", "", {"reclaimed": str(gained)})
        return removed, gained

    async def sweep(self, layers: Iterable[str]) -> None:
        """Remove these layers if nothing needs them (after a container with the last hold)."""
        await self.content.sweep(layers)

    async def collect(self) -> None:
        """Remove layers that nobody has needed for the grace period, for ever."""
        while True:
            pause = _PAUSE_AFTER_FAILURE
            try:
                pause = await self.content.sweep()
            except OSError as error:
                logger.error("cannot remove layers that nobody needs: %s", error)
            await asyncio.sleep(pause)

    def _tell(self, action: str, image: Image, name: str = "") -> None:
        self._publish("image", action, image.id, {**image.labels, "name": name or image.id})
