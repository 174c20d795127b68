"""What images are made of, changed as one: blobs and layers in, then the row; and the sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Container as Collection
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from davit.drivers.tar.split import joined
from davit.drivers.tar.stream import Pieces, Source
from davit.errors import Conflict, InvalidParameter, SystemFailure
from davit.model import codec, times
from davit.model.config import ContainerConfig
from davit.model.container import Container
from davit.model.image import Image, ImageConfig, Layer
from davit.services.images.manifests import describes
from davit.services.images.unpack import Staged, Unpacker
from davit.store.blobs import BlobStore, digest_of
from davit.store.images import ImageStore
from davit.store.layers import LayerStore
from davit.sys.tasks import uncut
from davit.sys.threads import finish

# OVL_MAX_STACK of the kernel.
_MOST_LAYERS = 500
_SHORTEST_PAUSE = 1.0
_IDLE_PAUSE = 60.0


class Containers(Protocol):
    """Who may use images and layers."""

    def all(self) -> list[Container]: ...


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image about to be stored.

    body: its configuration, byte by byte; tags: to be set, also ``repository@sha256:…``; parent:
    what it was made from here; step: as ``Image.step``; manifest: what it came with.
    """

    body: bytes
    config: ImageConfig
    tags: tuple[str, ...] = ()
    parent: str = ""
    step: str = ""
    manifest: bytes = b""

    @property
    def id(self) -> str:
        return digest_of(self.body)


class Content:
    """Blobs, layers and rows of images. A row is written last, so a crash leaves only orphans.

    grace: seconds that a layer is kept which nobody needs, as one of a pull that failed.
    max_layer_size: bytes that one may have as a tar.
    """

    def __init__(
        self,
        blobs: BlobStore,
        layers: LayerStore,
        rows: ImageStore,
        containers: Containers,
        grace: float,
        max_layer_size: int,
    ) -> None:
        self.blobs = blobs
        self.layers = layers
        self.rows = rows
        self.containers = containers
        self.unpacker = Unpacker(blobs, layers, max_layer_size)
        self._grace = grace
        self._lock = asyncio.Lock()
        self._held: list[set[str]] = []
        self._pinned: list[set[str]] = []

    async def open(self) -> None:
        """Find the layers and remove what a crash left; once, at start-up.

        The rows of images and containers must have been read before: what they name is kept.
        """
        await asyncio.to_thread(self.blobs.open)
        await asyncio.to_thread(self.layers.open)
        await self.sweep()

    @contextmanager
    def hold(self) -> Iterator[set[str]]:
        """Give a set of digests; layers (diff IDs) and blobs in it are not swept meanwhile."""
        with _listed(self._held) as held:
            yield held

    @contextmanager
    def hold_images(self, images: Iterable[Image]) -> Iterator[None]:
        """Keep all that is on disk of these images, even when they are removed meanwhile."""
        with self.hold() as held:
            for image in images:
                held.update((*image.layers, image.id, image.manifest))
                # Also when another one takes its place meanwhile (``repack``).
                held.update(self.layers.get(diff_id).blob for diff_id in image.layers)
            yield

    @contextmanager
    def pin(self) -> Iterator[set[str]]:
        """Give a set of image IDs; neither removal nor pruning takes what is in it."""
        with _listed(self._pinned) as pinned:
            yield pinned

    def is_pinned(self, image_id: str) -> bool:
        return any(image_id in pinned for pinned in self._pinned)

    @contextmanager
    def blob(self, layer: Layer) -> Iterator[Source]:
        """Give a layer's blob to read: the file, or made again from the unpacked files. Blocks.

        The caller holds the layer. Raises SystemFailure when it is missing; reading does when it is
        damaged, but tells no wrong digest.
        """
        path = self.blobs.path(layer.blob)
        if path.exists():
            with path.open("rb") as file:
                yield file
            return
        try:
            rest = self.layers.split(layer.diff_id).open("rb")
        except FileNotFoundError:
            raise SystemFailure(
                f"blob {layer.blob} is missing from the store: load it again"
            ) from None
        with rest, closing(joined(rest, self.layers.path(layer.diff_id))) as pieces:
            yield Pieces(pieces)

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

    async def sweep(self, freed: Iterable[str] = (), *, every: bool = False) -> float:
        """Remove layers and blobs that neither an image nor a container needs. Not cut.

        Layers go once the grace period is over; those in ``freed`` (diff IDs) and, with ``every``,
        all go now. What someone holds stays, and its period begins again. Returns the seconds after
        which to sweep again.
        """

        async def sweep() -> float:
            async with self._lock:
                return await self._sweep(set(freed), every=every)

        return await uncut(sweep())

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
        manifests: dict[str, str] = {}

        def write() -> None:
            for diff_id in wanted:
                if self.layers.find(diff_id) is None:
                    self._require(by_diff.get(diff_id), diff_id)
            for image in images:
                self.blobs.put(image.body)
                if self._came_with(image):
                    manifests[image.id] = self.blobs.put(image.manifest)
            self.layers.sync(wanted)

        async with self._lock:
            try:
                await asyncio.to_thread(write)
                stored = await self.rows.tag(
                    [(self._row(image), image.tags) for image in images], manifests
                )
            except BaseException as error:
                await self._sweep(set(by_diff))
                if isinstance(error, OSError):
                    raise self.unpacker.failure(error) from error
                raise
            return [stored[image.id] for image in images]

    def _came_with(self, new: NewImage) -> bool:
        """Whether the manifest is worth keeping: pushed again, the image can have its digest."""
        blobs = [self.layers.get(diff_id).blob for diff_id in new.config.rootfs.diff_ids]
        return bool(new.manifest) and describes(new.manifest, new.id, blobs)

    def _row(self, new: NewImage) -> Image:
        return self.rows.find(new.id) or Image(
            id=new.id,
            config=new.config,
            size=self.size(new.config),
            loaded=times.now(),
            parent=new.parent,
            step=new.step,
        )

    async def _sweep(self, freed: Collection[str], *, every: bool = False) -> float:
        orphans = self._orphans()
        ages = await asyncio.to_thread(lambda: {one: self.layers.age(one) for one in orphans})
        # Somebody may want one since. From the look at who does until it is no longer found, nobody
        # else gets to work.
        held = set().union(*self._held)
        orphans = self._orphans()
        due = {
            one: 0 if every or one in freed else self._grace - ages.get(one, 0)
            for one in orphans - held
        }
        names = self.layers.forget(one for one, seconds in due.items() if seconds <= 0)
        blobs = {digest for image in self.rows.all() for digest in (image.id, image.manifest)}
        blobs.update(layer.blob for layer in self.layers.all())
        blobs.update(held)

        def apply() -> None:
            for diff_id in orphans & held:
                self.layers.touch(diff_id)
            self.layers.delete(names)
            self.blobs.sweep(blobs)

        await asyncio.to_thread(apply)
        # By half of the period, so that what is held never comes to its end.
        longest = self._grace / 2 or _IDLE_PAUSE
        later = [seconds for seconds in due.values() if seconds > 0]
        return max(_SHORTEST_PAUSE, min([longest, *later]))

    def _orphans(self) -> set[str]:
        """Layers that neither an image nor a container names."""
        named = {diff_id for image in self.rows.all() for diff_id in image.layers}
        named.update(diff_id for item in self.containers.all() for diff_id in item.held_layers)
        return {layer.diff_id for layer in self.layers.all()} - named


@contextmanager
def _listed(sets: list[set[str]]) -> Iterator[set[str]]:
    """Have a new set in the list meanwhile. Another one may be equal to it."""
    fresh: set[str] = set()
    sets.append(fresh)
    try:
        yield fresh
    finally:
        sets[:] = [one for one in sets if one is not fresh]


def write_config(config: ImageConfig) -> bytes:
    """Encode an image configuration: what it says, and nothing of what it leaves open.

    Empty maps and lists where Docker writes null would be told apart by whoever compares.
    """
    said = _without(codec.builtins(config), codec.builtins(ImageConfig()))
    said["config"] = _without(codec.builtins(config.config), codec.builtins(ContainerConfig()))
    # Also when it is empty: what has no layers says so.
    said["rootfs"] = codec.builtins(config.rootfs)
    return codec.encode(said)


def _without(fields: dict[str, Any], blank: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != blank[name]}


def read_config(body: bytes, name: str) -> ImageConfig:
    """Decode an image configuration. Raises InvalidParameter naming it and the field."""
    try:
        config = codec.parse(body, ImageConfig)
    except InvalidParameter as error:
        raise InvalidParameter(f"the image configuration {name} is wrong: {error}") from None
    if len(config.rootfs.diff_ids) > _MOST_LAYERS:
        raise InvalidParameter(
            f"max depth exceeded: the image configuration {name} has more than {_MOST_LAYERS} "
            "layers, and overlayfs mounts no more"
        )
    return config
