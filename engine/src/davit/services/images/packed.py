"""Layers as registries take them: compressed, and each once.

A layer that came uncompressed (or with xz or bzip2, which no registry knows) is compressed when it
is pushed first, and that takes the place of its blob.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from davit.drivers.tar.compression import gzip_packer
from davit.model.image import Layer
from davit.services.images import save
from davit.services.images.content import Content

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Packer:
    """One for a store: who wants the same layer waits for the one that compresses it."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._locks: dict[str, asyncio.Lock] = {}

    async def packed(self, diff_id: str) -> tuple[Layer, str]:
        """Return the layer once its blob is compressed, and how: ``gzip`` or ``zstd``.

        The caller holds it. Raises SystemFailure when the blob is damaged.
        """
        lock = self._locks.setdefault(diff_id, asyncio.Lock())
        try:
            async with lock:
                layer = self._content.layers.get(diff_id)
                kind = await asyncio.to_thread(self._kind, layer)
                if not kind:
                    layer, kind = await self._content.repack(layer, self._gzip(layer)), "gzip"
                return layer, kind
        finally:
            if not lock.locked():
                self._locks.pop(diff_id, None)

    def _kind(self, layer: Layer) -> str:
        with self._content.blob(layer) as blob:
            head = blob.read(len(_ZSTD))
        if head.startswith(_GZIP):
            return "gzip"
        return "zstd" if head == _ZSTD else ""

    def _gzip(self, layer: Layer) -> Iterator[bytes]:
        packing = gzip_packer()
        for piece in save.contents(self._content, layer):
            yield packing.compress(piece)
        yield packing.flush()
