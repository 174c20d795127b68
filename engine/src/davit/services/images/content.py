"""What images are made of, changed as one: blobs and layers in, then the row; and the sweep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec
from msgspec.structs import replace

from davit.errors import Conflict, InvalidParameter
from davit.model import codec, times
from davit.model.container import Container
from davit.model.image import Image, ImageConfig, Layer
from davit.services.images.unpack import Staged, Unpacker
from davit.store.blobs import BlobStore, digest_of
from davit.store.images import ImageStore
from davit.store.layers import LayerStore
from davit.sys.tasks import uncut
from davit.sys.threads import finish

GRACE = 3600
"""Seconds that finished layers of a pull which failed are kept."""


class Containers(Protocol):
    """Who may use images and layers."""

    def all(self) -> list[Container]: ...


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image about to be stored.

    body: its configuration, byte by byte; tags: to be set, also ``repository@sha256:…``; parent:
    what it was made from here; step: as ``Image.step``.
    """

    body: bytes
    config: ImageConfig
    tags: tuple[str, ...] = ()
    parent: str = ""
    step: str = ""

    @property
    def id(self) -> str:
        return digest_of(self.body)


class Content:
    """Blobs, layers and rows of images. A row is written last, so a crash leaves only orphans."""

    def __init__(
        self, blobs: BlobStore, layers: LayerStore, rows: ImageStore, containers: Containers
    ) -> None:
        self.blobs = blobs
        self.layers = layers
        self.rows = rows
        self.containers = containers
        self.unpacker = Unpacker(blobs, layers)
        self._lock = asyncio.Lock()
        self._held: list[set[str]] = []
        self._pinned: list[set[str]] = []
        self._kept: dict[str, float] = {}

    async def open(self) -> None:
        """Find the layers and remove what a crash left; once, at start-up.

        The rows of images and containers must have been read before: what they name is kept.
        """
        await asyncio.to_thread(self.blobs.open)
        await asyncio.to_thread(self.layers.open)
        await self.sweep()

    @contextmanager
    def hold(self) -> Iterator[set[str]]:
        """Give a set of diff IDs; the layers in it are not swept meanwhile."""
        with _listed(self._held) as held:
            yield held

    @contextmanager
    def pin(self) -> Iterator[set[str]]:
        """Give a set of image IDs; neither removal nor pruning takes what is in it."""
        with _listed(self._pinned) as pinned:
            yield pinned

    def is_pinned(self, image_id: str) -> bool:
        return any(image_id in pinned for pinned in self._pinned)

    def keep(self, layers: Iterable[str]) -> None:
        """Do not sweep these for :data:`GRACE`: a pull that failed is often tried again."""
        until = time.monotonic() + GRACE
        self._kept.update((diff_id, until) for diff_id in layers)

    def drop_kept(self) -> None:
        """Sweep with the next sweep what was kept for a further try."""
        self._kept.clear()

    async def adopt(self, staged: Staged) -> Layer:
        """Take one layer in before its image is; whoever needs it holds it. Not cut."""

        async def take() -> Layer:
            async with self._lock:
                await asyncio.to_thread(self.unpacker.commit, staged)
                return self.layers.get(staged.layer.diff_id)

        return await uncut(take())

    async def repack(self, layer: Layer, pieces: Iterator[bytes]) -> Layer:
        """Put another blob of the same layer in the place of the one it has. pieces: blocks.

        The old blob goes with the next sweep.
        """

        writer = await asyncio.to_thread(self.blobs.writer)

        def write() -> None:
            for piece in pieces:
                writer.write(piece)

        def take() -> Layer:
            new = replace(layer, blob=writer.digest, blob_size=writer.size)
            if not self.blobs.has(new.blob):
                writer.commit()
            return self.layers.update(new)

        try:
            await finish(write)
            async with self._lock:
                return await finish(take)
        finally:
            await asyncio.to_thread(writer.discard)

    async def commit(self, images: Sequence[NewImage], staged: Iterable[Staged]) -> list[Image]:
        """Store images with all that is new of them. All or nothing; not cut by cancellation."""
        return await uncut(self._commit(images, staged))

    async def sweep(self) -> None:
        """Remove layers and blobs that neither an image nor a container needs."""
        async with self._lock:
            await self._sweep()

    def size(self, config: ImageConfig) -> int:
        """Bytes of all layers, unpacked."""
        found = (self.layers.find(diff_id) for diff_id in config.rootfs.diff_ids)
        return sum(layer.size for layer in found if layer)

    def _require(self, staged: Staged | None, diff_id: str) -> None:
        if staged is None:
            raise Conflict(f"layer {diff_id} was removed meanwhile: load the image again")
        self.unpacker.commit(staged)

    async def _commit(self, images: Sequence[NewImage], staged: Iterable[Staged]) -> list[Image]:
        by_diff = {item.layer.diff_id: item for item in staged}
        wanted = {diff_id for image in images for diff_id in image.config.rootfs.diff_ids}

        def write() -> None:
            for diff_id in wanted:
                if self.layers.find(diff_id) is None:
                    self._require(by_diff.get(diff_id), diff_id)
            for image in images:
                self.blobs.put(image.body)
            self.layers.sync(wanted)

        async with self._lock:
            try:
                await asyncio.to_thread(write)
                await self.rows.tag((self._row(image), image.tags) for image in images)
            except BaseException as error:
                await self._sweep()
                if isinstance(error, OSError):
                    raise self.unpacker.failure(error) from error
                raise
            return [self.rows.get(image.id) for image in images]

    def _row(self, new: NewImage) -> Image:
        return self.rows.find(new.id) or Image(
            id=new.id,
            config=new.config,
            size=self.size(new.config),
            loaded=times.now(),
            parent=new.parent,
            step=new.step,
        )

    async def _sweep(self) -> None:
        layers = {diff_id for image in self.rows.all() for diff_id in image.layers}
        layers.update(diff_id for item in self.containers.all() for diff_id in item.held_layers)
        layers.update(*self._held)
        now = time.monotonic()
        self._kept = {diff_id: until for diff_id, until in self._kept.items() if until > now}
        layers.update(self._kept)
        blobs = {image.id for image in self.rows.all()}
        blobs.update(layer.blob for layer in self.layers.all() if layer.diff_id in layers)

        def remove() -> None:
            self.layers.sweep(layers)
            self.blobs.sweep(blobs)

        await asyncio.to_thread(remove)


@contextmanager
def _listed(sets: list[set[str]]) -> Iterator[set[str]]:
    """Have a new set in the list meanwhile. Another one may be equal to it."""
    fresh: set[str] = set()
    sets.append(fresh)
    try:
        yield fresh
    finally:
        sets[:] = [one for one in sets if one is not fresh]


def read_config(body: bytes, name: str) -> ImageConfig:
    """Decode an image configuration. Raises InvalidParameter naming it and the field."""
    try:
        return codec.parse(body, ImageConfig)
    except InvalidParameter as error:
        raise InvalidParameter(f"the image configuration {name} is wrong: {error}") from None
