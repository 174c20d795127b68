"""One layer, from a stream into the store, in a single pass: hashed, decompressed, unpacked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from davit.drivers.tar.compression import HEAD, WIDEST, TooWide, decompressed, is_compressed
from davit.drivers.tar.header import BLOCK
from davit.drivers.tar.split import Splitter
from davit.drivers.tar.stream import Hashed, Limited, Peeked, Source, drain
from davit.drivers.tar.unpack import unpack
from davit.errors import InvalidParameter, SystemFailure
from davit.model.image import Layer
from davit.store.blobs import BlobStore, BlobWriter, Digester, check_digest
from davit.store.layers import LayerStore, split_of
from davit.sys.threads import Follower


@dataclass(frozen=True)
class Staged:
    """A layer that is unpacked but not in the store yet.

    blob: as it came, None when that can be made again from the tree and what is kept beside it.
    """

    layer: Layer
    tree: Path
    blob: BlobWriter | None


class _Copied:
    """Writes what is read through it, a little later; all of it once the end has been read."""

    def __init__(self, source: Source, writing: Follower) -> None:
        self._source = source
        self._writing = writing

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        if data:
            self._writing.put(data)
        else:
            self._writing.wait()
        return data


class Unpacker:
    """Stages layers. Everything blocks: use it from a thread. limit: bytes that a layer may have,
    unpacked and as it comes.
    """

    def __init__(self, blobs: BlobStore, layers: LayerStore, limit: int) -> None:
        self._blobs = blobs
        self._layers = layers
        self._limit = limit

    def stage(
        self, source: Source, *, expected: str = "", whole: bool = False, window: int = WIDEST
    ) -> Staged:
        """Read a layer, compressed or not, to its end.

        expected: digest of the stream as it comes. whole: refuse a tar without end mark. window:
        bytes that decompressing may take.
        Raises InvalidParameter, SystemFailure (disk full); then nothing of the layer is left.
        TooWide is raised before the stream has been read to its end.
        """
        blobs: list[BlobWriter] = []

        def blob() -> BlobWriter:
            blobs.append(self._blobs.writer())
            return blobs[0]

        try:
            tree = self._layers.stage()
        except OSError as error:
            raise self.failure(error) from error
        try:
            peeked = Peeked(source, HEAD)
            came = blob() if is_compressed(peeked.head) else Digester()
            # Hashed and written while it is unpacked.
            with closing(Follower(came.write, together=2)) as following:
                copied = self._limited(_Copied(peeked, following), expected)
                try:
                    if blobs:
                        layer = self._unpack(copied, came, tree, expected, whole, window)
                    else:
                        layer = self._split(copied, came, tree, whole, blob)
                except TooWide:
                    raise
                except InvalidParameter:
                    # A wrong digest says more than what the damage did to the contents.
                    drain(copied)
                    if expected:
                        check_digest(f"blob {expected}", expected, came.digest)
                    raise
                if expected:
                    check_digest(f"blob {expected}", expected, came.digest)
        except BaseException as error:
            for writer in blobs:
                writer.discard()
            self._layers.discard(tree)
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                raise self.failure(error) from error
            raise
        for writer in blobs:
            writer.close()
        return Staged(layer, tree, blobs[0] if blobs else None)

    def verify(self, source: Source, expected: str) -> None:
        """Read a blob that the store has already. Raises InvalidParameter for a wrong digest."""
        hashed = Hashed(source)
        drain(hashed)
        check_digest(f"blob {expected}", expected, hashed.digest)

    def commit(self, staged: Staged) -> None:
        """Take the layer in. It is on disk once the layers' ``sync`` has passed."""
        if staged.blob is not None and not self._blobs.has(staged.layer.blob):
            staged.blob.commit(durable=False)
        self._layers.commit(staged.tree, staged.layer)

    def discard(self, staged: Staged) -> None:
        """Leave nothing of a layer that was not committed. Idempotent."""
        if staged.blob is not None:
            staged.blob.discard()
        self._layers.discard(staged.tree)

    def failure(self, error: OSError) -> SystemFailure:
        """What a failed write says."""
        return SystemFailure(
            f"cannot store the image in {self._blobs.root}: {error.strerror}: make room on that "
            "disk, and check that it can be written to"
        )

    def _limited(self, source: Source, name: str) -> Source:
        def refusal() -> InvalidParameter:
            return InvalidParameter(
                f"refused: the layer{name and f' {name}'} unpacks to more than {self._limit} "
                "bytes: if it may, give davitd a larger max-layer-size"
            )

        return Limited(source, self._limit, refusal)

    def _unpack(
        self, copied: Source, came: Digester, tree: Path, name: str, whole: bool, window: int
    ) -> Layer:
        """Unpack a layer that is compressed."""
        hashed = Hashed(self._limited(decompressed(copied, window), name))
        size = unpack(hashed, tree, whole=whole)
        drain(hashed)
        drain(copied)
        return Layer(
            diff_id=hashed.digest,
            blob=came.digest,
            size=size,
            tar_size=hashed.size,
            blob_size=came.size,
        )

    def _split(
        self,
        copied: Source,
        came: Digester,
        tree: Path,
        whole: bool,
        blob: Callable[[], BlobWriter],
    ) -> Layer:
        """Unpack a layer that is not, and keep what it takes to make its tar again."""
        with closing(Splitter(copied, split_of(tree), tree, blob)) as splitter:
            size = unpack(splitter, tree, whole=whole, splitter=splitter)
            drain(splitter)
        return Layer(
            diff_id=came.digest,
            blob=came.digest,
            size=size,
            tar_size=came.size,
            blob_size=came.size,
        )


def looks_like_layer(head: bytes) -> bool:
    """Tell from the first block whether a file of an archive may be a layer."""
    if is_compressed(head):
        return True
    return len(head) >= BLOCK and (head[257:262] == b"ustar" or not head.strip(b"\0"))
