# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What of an image archive goes to a host: all of it, or the image without what is there."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.davit.fleet.plugins.module_utils._archive import Identity, members

PART = 32 << 20
"""Bytes of a part: what is sent again, at most, after a connection broke."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Parcel:
    """A stream of bytes that is cut into parts.

    path: the archive; image: of it; wanted: diff IDs of the layers that the host lacks, None for
    the archive as it is. The same parcel has the same bytes each time.
    """

    path: str
    image: Identity
    wanted: frozenset[str] | None

    @property
    def key(self) -> str:
        """Names this parcel's parts, so that those of an earlier try are found again."""
        status = os.stat(self.path)
        wanted = None if self.wanted is None else sorted(self.wanted)
        what = [self.image.ids, wanted, status.st_size, status.st_mtime_ns]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]

    @property
    def layers(self) -> int:
        """How many layers are in it."""
        everything = self.wanted is None
        return sum(everything or layer.diff_id in self.wanted for layer in self.image.layers)

    def read(self) -> Iterator[bytes]:
        """Yield the bytes, some at a time."""
        return self._whole() if self.wanted is None else self._trimmed(self.wanted)

    def _whole(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            while data := file.read(_BLOCK):
                yield data

    def _trimmed(self, wanted: frozenset[str]) -> Iterator[bytes]:
        """Docker save's format, which every engine takes without the layers that it has."""
        config = f"{self.image.ids[0].rpartition(':')[2]}.json"
        entry = {
            "Config": config,
            "RepoTags": self.image.tags,
            "Layers": [layer.path for layer in self.image.layers],
        }
        paths = {layer.path for layer in self.image.layers if layer.diff_id in wanted}
        yield from _document("manifest.json", json.dumps([entry]).encode())
        yield from _document(config, self.image.config)
        with tarfile.open(self.path) as archive:
            found = members(archive)
            # In the order of the file: going back in a compressed one means to begin again.
            for path in sorted(paths, key=lambda path: found[path].offset):
                file = archive.extractfile(found[path])
                if file is None:  # For mypy: each layer's links were followed to a regular file.
                    raise ValueError(f"{path} in {self.path} is not a file")
                yield _head(path, found[path].size)
                while data := file.read(_BLOCK):
                    yield data
                yield _padding(found[path].size)
        yield bytes(2 * tarfile.BLOCKSIZE)


def parts(chunks: Iterator[bytes], size: int = PART) -> Iterator[list[bytes]]:
    """Cut a stream into lists of chunks with ``size`` bytes together; the last may have less."""
    gathered: list[bytes] = []
    room = size
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            gathered.append(bytes(rest[:room]))
            room -= len(gathered[-1])
            rest = rest[len(gathered[-1]) :]
            if room == 0:
                yield gathered
                gathered, room = [], size
    if gathered:
        yield gathered


def _document(path: str, body: bytes) -> Iterator[bytes]:
    yield _head(path, len(body))
    yield body
    yield _padding(len(body))


def _head(path: str, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
