"""One layer, from a stream into the store, in a single pass: hashed, decompressed, unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from davit.drivers.tar.compression import HEAD, WIDEST, TooWide, decompressed, is_compressed
from davit.drivers.tar.header import BLOCK
from davit.drivers.tar.stream import Hashed, Limited, Peeked, Source, drain
from davit.drivers.tar.unpack import unpack
from davit.errors import InvalidParameter, SystemFailure
from davit.model.image import Layer
from davit.store.blobs import BlobStore, BlobWriter, check_digest
from davit.store.layers import LayerStore
from davit.sys.threads import Follower


@dataclass(frozen=True)
class Staged:
    """A layer that is unpacked but not in the store yet."""

    layer: Layer
    tree: Path
    blob: BlobWriter


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
        try:
            tree = self._layers.stage()
            try:
                writer = self._blobs.writer()
            except OSError:
                self._layers.discard(tree)
                raise
        except OSError as error:
            raise self.failure(error) from error
        # Hashed and written while it is unpacked.
        writing = Follower(writer.write, together=4)
        copied = self._limited(_Copied(source, writing), expected)
        try:
            try:
                layer = self._unpack(copied, writer, tree, expected, whole, window)
            except TooWide:
                raise
            except InvalidParameter:
                # A wrong digest says more than what the damage did to the contents.
                drain(copied)
                if expected:
                    check_digest(f"blob {expected}", expected, writer.digest)
                raise
            if expected:
                check_digest(f"blob {expected}", expected, writer.digest)
        except BaseException as error:
            writing.close()
            writer.discard()
            self._layers.discard(tree)
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                raise self.failure(error) from error
            raise
        writing.close()
        writer.close()
        return Staged(layer, tree, writer)

    def verify(self, source: Source, expected: str) -> None:
        """Read a blob that the store has already. Raises InvalidParameter for a wrong digest."""
        hashed = Hashed(source)
        drain(hashed)
        check_digest(f"blob {expected}", expected, hashed.digest)

    def commit(self, staged: Staged) -> None:
        """Take the layer in. It is on disk once the layers' ``sync`` has passed."""
        if not self._blobs.has(staged.layer.blob):
            staged.blob.commit(durable=False)
        self._layers.commit(staged.tree, staged.layer)

    def discard(self, staged: Staged) -> None:
        """Leave nothing of a layer that was not committed. Idempotent."""
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
        self,
        copied: Source,
        writer: BlobWriter,
        tree: Path,
        name: str,
        whole: bool,
        window: int,
    ) -> Layer:
        peeked = Peeked(copied, HEAD)
        if is_compressed(peeked.head):
            hashed = Hashed(self._limited(decompressed(peeked, window), name))
            size = unpack(hashed, tree, whole=whole)
            drain(hashed)
            drain(copied)
            diff_id, tar_size = hashed.digest, hashed.size
        else:
            size = unpack(peeked, tree, whole=whole)
            drain(copied)
            diff_id, tar_size = writer.digest, writer.size
        return Layer(
            diff_id=diff_id,
            blob=writer.digest,
            size=size,
            tar_size=tar_size,
            blob_size=writer.size,
        )


def looks_like_layer(head: bytes) -> bool:
    """Tell from the first block whether a file of an archive may be a layer."""
    if is_compressed(head):
        return True
    return len(head) >= BLOCK and (head[257:262] == b"ustar" or not head.strip(b"\0"))
