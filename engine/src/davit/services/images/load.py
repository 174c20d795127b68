"""Load: images out of an archive, read once from front to back.

What a file is can only be known for sure at the end, where ``manifest.json`` or ``index.json``
stands. So every file that looks like a layer is unpacked as it comes by; the ones that no image
needs are dropped, and nothing is kept unless everything fits together.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable

from davit.drivers.tar import kinds
from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.header import BLOCK, Entry
from davit.drivers.tar.reader import TarReader
from davit.drivers.tar.root import split
from davit.drivers.tar.stream import Peeked, Source, drain, feed
from davit.errors import InvalidParameter
from davit.model import ids, platform
from davit.model.image import Image, Layer, Progress
from davit.services.images.archive import Found, blob_digest, find_images
from davit.services.images.content import Content, NewImage, read_config
from davit.services.images.unpack import Staged, looks_like_layer
from davit.store.blobs import check_digest
from davit.sys.threads import Follower

Report = Callable[[Progress], None]

_LARGEST_DOCUMENT = 8 << 20
_LARGEST_DOCUMENTS = 64 << 20
_MOST_MEMBERS = 100_000
# Bytes after which what was written is brought to disk, while more is read.
_FLUSHED = 32 << 20


async def load_images(
    content: Content, chunks: AsyncIterator[bytes], report: Report, wanted: str = ""
) -> list[tuple[Image, tuple[str, ...]]]:
    """Store all images of an archive; return each with the tags that the archive gave it.

    All or nothing. report: called in the event loop for each layer. wanted: platform.
    Raises InvalidParameter for what is no archive, damaged, cut off or incomplete.
    """
    loop = asyncio.get_running_loop()

    def tell(line: Progress) -> None:
        loop.call_soon_threadsafe(report, line)

    with content.hold() as held:
        reading = _Reading(content, held, tell)
        try:
            await feed(chunks, reading.run)
            found = find_images(reading.documents, platform.parse(wanted), named=bool(wanted))
            new = [reading.image(item) for item in found]
            stored = await content.commit(new, reading.staged.values())
        finally:
            await asyncio.to_thread(reading.discard)
    return [(image, item.tags) for image, item in zip(stored, found, strict=True)]


class _Reading:
    """One archive: its documents, its layers by path, and the links between its paths."""

    def __init__(self, content: Content, held: set[str], report: Report) -> None:
        self._content = content
        self._held = held
        self._report = report
        self._links: dict[str, str] = {}
        self._known: dict[str, Layer] = {}
        self._refused: dict[str, InvalidParameter] = {}
        self._read = 0
        self._members = 0
        self._unflushed = 0
        self._flushing = Follower(lambda _: self._flush())
        self.documents: dict[str, bytes] = {}
        self.staged: dict[str, Staged] = {}

    def run(self, source: Source) -> None:
        """Read the archive to its end; in a thread."""
        stream = decompressed(source)
        reader = TarReader(stream)
        for entry in reader:
            self._take(entry, reader)
        drain(stream)
        # The kernel tells of a failure once: the sync at the end would not hear of it.
        self._flushing.wait()

    def image(self, found: Found) -> NewImage:
        """Check an image against the layers that were read. Raises InvalidParameter."""
        config = read_config(found.config, found.config_name)
        diff_ids = config.rootfs.diff_ids
        if len(diff_ids) != len(found.layers):
            raise InvalidParameter(
                f"the archive is damaged: the image configuration {found.config_name} has "
                f"{len(diff_ids)} layers, the manifest {len(found.layers)}"
            )
        for path, diff_id in zip(found.layers, diff_ids, strict=True):
            layer = self._layer(path)
            if layer is not None:
                check_digest(f"layer {path}", diff_id, layer.diff_id)
            elif self._content.layers.find(diff_id) is None:
                raise InvalidParameter(
                    f"the archive is incomplete: layer {path} ({diff_id}) is neither in it nor in "
                    "the store"
                )
            self._held.add(diff_id)
        return NewImage(body=found.config, config=config, tags=found.tags, manifest=found.manifest)

    def discard(self) -> None:
        """Leave nothing of what was not committed. Idempotent."""
        self._flushing.close()
        for staged in self.staged.values():
            self._content.unpacker.discard(staged)

    def _layer(self, path: str) -> Layer | None:
        for _ in range(len(self._links) + 1):
            if path not in self._links:
                break
            path = self._links[path]
        if path in self._refused:
            raise InvalidParameter(f"layer {path}: {self._refused[path]}")
        if path in self.staged:
            return self.staged[path].layer
        return self._known.get(path)

    def _take(self, entry: Entry, reader: TarReader) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise InvalidParameter(
                f"refused: the archive has more than {_MOST_MEMBERS} members: load fewer images "
                "at a time"
            )
        path = posixpath.join(*split(entry.name) or [""])
        if entry.type == kinds.SYMTYPE:
            # docker save writes a layer that several images have once, and links to it.
            self._links[path] = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), entry.linkname)
            )
        elif entry.type == kinds.LNKTYPE:
            self._links[path] = posixpath.normpath(entry.linkname)
        elif entry.is_file:
            contents = Peeked(reader, BLOCK)
            if looks_like_layer(contents.head):
                self._take_layer(path, contents)
            elif contents.head.lstrip()[:1] in (b"{", b"["):
                self._take_document(path, entry, contents)

    def _take_layer(self, path: str, contents: Source) -> None:
        expected = blob_digest(path)
        known = self._content.layers.with_blob(expected) if expected else None
        try:
            if known is not None:
                self._held.add(known.diff_id)
                self._content.unpacker.verify(contents, expected)
                self._known[path] = known
                layer, status = known, "Layer already exists"
            else:
                self.staged[path] = self._content.unpacker.stage(contents, expected=expected)
                layer, status = self.staged[path].layer, "Loading layer"
                self._written(layer.blob_size + layer.size)
        except InvalidParameter as error:
            # It need not be a layer: what no image needs may be anything.
            self._refused[path] = error
        else:
            self._report(Progress(status=status, id=ids.short(layer.diff_id)))

    def _written(self, size: int) -> None:
        self._unflushed += size
        if self._unflushed >= _FLUSHED:
            self._unflushed = 0
            self._flushing.put(b"")

    def _flush(self) -> None:
        try:
            self._content.layers.flush()
        except OSError as error:
            raise self._content.unpacker.failure(error) from error

    def _take_document(self, path: str, entry: Entry, contents: Source) -> None:
        self._read += entry.size
        if entry.size > _LARGEST_DOCUMENT or self._read > _LARGEST_DOCUMENTS:
            raise InvalidParameter(f"the archive's {path} is too large: {entry.size} bytes of JSON")
        body = bytearray()
        while data := contents.read(entry.size):
            body += data
        self.documents[path] = bytes(body)
