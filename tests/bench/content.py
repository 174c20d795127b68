"""The images that are moved: the same bytes in every run, about as compressible as real ones."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.engine.imagekit import CREATED, host_architecture, member
from tests.engine.registrykit import Shelf

BIG = ((9000, 180), (5000, 110), (3500, 80), (2000, 60), (500, 30))
"""Files and MB of each layer: 20,000 files, 460 MB; 200 MB of gzip."""
SMALL = ((4000, 8),)
_IN_A_DIRECTORY = 25
_POOL = 24 << 20


@dataclass(frozen=True)
class Layer:
    """tar: the file; size, diff_id: of it; packed: the same with gzip."""

    tar: Path
    packed: Path
    diff_id: str


@dataclass(frozen=True)
class Content:
    """An image on disk."""

    name: str
    layers: list[Layer]

    @property
    def config(self) -> bytes:
        diff_ids = [layer.diff_id for layer in self.layers]
        document: dict[str, Any] = {
            "os": "linux",
            "architecture": host_architecture(),
            "created": CREATED,
            "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": CREATED, "created_by": diff_id} for diff_id in diff_ids],
        }
        return json.dumps(document).encode()

    def put(self, address: str) -> str:
        """Put it into a registry; return the name by which it is pulled."""
        shelf = Shelf(address, f"bench/{self.name}")
        docker = "application/vnd.docker."
        layer_type = f"{docker}image.rootfs.diff.tar.gzip"
        shelf.manifest(
            "latest",
            {
                "schemaVersion": 2,
                "mediaType": f"{docker}distribution.manifest.v2+json",
                "config": {
                    "mediaType": f"{docker}container.image.v1+json",
                    **shelf.blob(self.config),
                },
                "layers": [
                    {"mediaType": layer_type, **shelf.blob(layer.packed.read_bytes())}
                    for layer in self.layers
                ],
            },
        )
        return shelf.name

    def archive(self, path: Path, tag: str) -> None:
        """Write it as ``docker save`` does."""
        names = [f"{layer.diff_id.removeprefix('sha256:')}/layer.tar" for layer in self.layers]
        config = f"{hashlib.sha256(self.config).hexdigest()}.json"
        manifest = [{"Config": config, "RepoTags": [tag], "Layers": names}]
        with tarfile.open(path, "w") as tar:
            for name, layer in zip(names, self.layers, strict=True):
                tar.add(layer.tar, name)
            for name, body in ((config, self.config), ("manifest.json", json.dumps(manifest))):
                data = body if isinstance(body, bytes) else body.encode()
                info, _ = member(name, data)
                tar.addfile(info, io.BytesIO(data))


def make(name: str, sizes: tuple[tuple[int, int], ...], directory: Path) -> Content:
    """Write an image's layers below a directory. sizes: files and MB of each layer."""
    layers = [
        _layer(directory / f"{name}-{number}", number, files, megabytes * 10**6)
        for number, (files, megabytes) in enumerate(sizes)
    ]
    return Content(name, layers)


def _layer(path: Path, number: int, files: int, size: int) -> Layer:
    digest = hashlib.sha256()
    # Level 6, as Docker and BuildKit have it.
    packing = zlib.compressobj(6, wbits=31)
    tar_path, packed_path = path.with_suffix(".tar"), path.with_suffix(".gz")
    with tarfile.open(tar_path, "w") as tar:
        for info, data in _members(number, files, size):
            tar.addfile(info, io.BytesIO(data))
    with tar_path.open("rb") as tar_file, packed_path.open("wb") as packed:
        while piece := tar_file.read(1 << 20):
            digest.update(piece)
            packed.write(packing.compress(piece))
        packed.write(packing.flush())
    return Layer(tar_path, packed_path, f"sha256:{digest.hexdigest()}")


def _members(number: int, files: int, size: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Directories of 25 files whose sizes are spread as on a real disk: few have most bytes."""
    dice = random.Random(f"layer {number}")
    weights = [dice.lognormvariate(0, 1.6) for _ in range(files)]
    scale = size / sum(weights)
    place = ""
    for index, weight in enumerate(weights):
        if index % _IN_A_DIRECTORY == 0:
            place = f"usr/lib/layer{number}/part{index // _IN_A_DIRECTORY:04}"
            yield member(place, None, tarfile.DIRTYPE)
        start = dice.randrange(_POOL)
        data = bytearray()
        while (left := int(weight * scale) - len(data)) > 0:
            data += _pool()[start : start + left]
            start = 0
        yield member(f"{place}/module{index:05}.so", bytes(data))


@cache
def _pool() -> bytes:
    """Words by their frequency, as in source code and text, with pieces that are noise."""
    dice = random.Random("pool")
    letters = b"etaoinshrdlucmfwypvbgkjqxz_ ()"
    words = [bytes(dice.choices(letters, k=dice.randint(2, 11))) for _ in range(4000)]
    frequencies = [1 / (rank + 3) for rank in range(len(words))]
    pool = bytearray()
    while len(pool) < _POOL:
        pool += b" ".join(dice.choices(words, frequencies, k=3000))
        pool += dice.randbytes(len(pool) % 4000)
    return bytes(pool[:_POOL])
