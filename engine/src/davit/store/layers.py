"""Unpacked layers: one directory per diff ID, ready to be a lower directory of overlayfs.

``layers/<first hex digits of the diff ID>`` is the tree, ``….json`` beside it says what it is. When
the layer has no blob, ``….split`` is what its tar has besides the files (``drivers/tar/split``).
The name is short because all lower directories of a mount together must fit into one page. It has
twelve digits, one more for each other layer that has the same beginning.

A layer that no image names yet may be lost when the machine goes down, for only a sync that comes
before an image's row makes it last. Its record therefore says in which run of the kernel it was
written. The record's time of modification says when somebody wanted the layer last.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from davit.errors import SystemFailure
from davit.model import codec
from davit.model.image import Layer
from davit.sys import files, trees

logger = logging.getLogger(__name__)

_SHORTEST = 12
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _Written(msgspec.Struct, frozen=True):
    """What a record says besides the layer. boot: which run of the kernel wrote it."""

    boot: str = ""


class LayerStore:
    """Layers under one root. Everything but the look-ups blocks: use it from a thread."""

    def __init__(self, root: Path, ingest: Path) -> None:
        self._root = root
        self._ingest = ingest
        self._layers: dict[str, Layer] = {}
        self._names: dict[str, str] = {}
        self._unsynced: set[str] = set()
        self._doubtful: set[str] = set()
        self._boot = ""

    def open(self) -> None:
        """Read what is there; once, at start-up. Halves of a layer are removed."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._ingest.mkdir(parents=True, exist_ok=True, mode=0o700)
        empty_directory(self._ingest)
        self._boot = _BOOT.read_text().strip()
        there = [entry.name for entry in self._root.iterdir()]
        for name in sorted({one.removesuffix(".json").removesuffix(".split") for one in there}):
            record = self._record(name)
            try:
                body = record.read_bytes()
                layer = codec.decode(body, Layer)
                boot = codec.decode(body, _Written).boot
            except (FileNotFoundError, msgspec.DecodeError):
                layer = None
            if layer is None or not (self._root / name).is_dir():
                self._delete(name)
            else:
                self._layers[layer.diff_id] = layer
                self._names[layer.diff_id] = name
                (self._unsynced if boot == self._boot else self._doubtful).add(layer.diff_id)

    def all(self) -> list[Layer]:
        return list(self._layers.values())

    def find(self, diff_id: str) -> Layer | None:
        return self._layers.get(diff_id)

    def get(self, diff_id: str) -> Layer:
        """Raises SystemFailure when the store does not have it."""
        try:
            return self._layers[diff_id]
        except KeyError:
            raise _missing(diff_id) from None

    def with_blob(self, digest: str) -> Layer | None:
        """The layer that was unpacked from this blob."""
        return next((layer for layer in self._layers.values() if layer.blob == digest), None)

    def path(self, diff_id: str) -> Path:
        """The layer's tree. Raises SystemFailure when the store does not have it."""
        try:
            return self._root / self._names[diff_id]
        except KeyError:
            raise _missing(diff_id) from None

    def split(self, diff_id: str) -> Path:
        """What is kept of the layer's tar besides the files. Raises SystemFailure as ``path``."""
        return split_of(self.path(diff_id))

    def stage(self) -> Path:
        """Make an empty directory to unpack into. ``commit`` it or ``discard`` it.

        What is to be kept of the tar goes where :func:`split_of` says.
        """
        path = self._ingest / f"layer-{secrets.token_hex(8)}"
        path.mkdir()
        path.chmod(0o755)  # whatever the umask: it is the / of containers
        return path

    def commit(self, staged: Path, layer: Layer) -> None:
        """Take a staged tree in. A layer that is there already is kept, the new one discarded.

        It is on disk after ``sync`` only.
        """
        if layer.diff_id in self._layers:
            self.discard(staged)
            return
        name = self._free_name(layer.diff_id)
        record = self._record(name)
        # The tree comes last: a record without one is removed at the next start.
        self._write(record, layer, durable=False)
        with suppress(FileNotFoundError):
            split_of(staged).rename(split_of(self._root / name))
        staged.rename(self._root / name)
        self._layers[layer.diff_id] = layer
        self._names[layer.diff_id] = name
        self._unsynced.add(layer.diff_id)

    def update(self, layer: Layer) -> Layer:
        """Write the record of a layer anew (its blob is another one); return it."""
        self._write(self._record(self._names[layer.diff_id]), layer)
        self._layers[layer.diff_id] = layer
        return layer

    def discard(self, staged: Path) -> None:
        """Delete a staged tree. Idempotent."""
        split_of(staged).unlink(missing_ok=True)
        remove_tree(staged)

    def age(self, diff_id: str) -> float:
        """Seconds since somebody wanted the layer, infinite when it may be damaged.

        That is a layer which no sync has reached before the machine went down, as far as we know:
        it is good only if an image names it.
        """
        if diff_id in self._doubtful:
            return float("inf")
        record = self._record(self._names[diff_id])
        age = time.time() - record.stat().st_mtime
        if age < 0:
            # The clock was set back: count from now on.
            os.utime(record)
        return max(age, 0)

    def touch(self, diff_id: str) -> None:
        """Note that somebody wants the layer."""
        os.utime(self._record(self._names[diff_id]))

    def forget(self, diff_ids: Iterable[str]) -> list[str]:
        """Stop finding these layers; return what ``delete`` needs. Does not block."""
        names = []
        for diff_id in diff_ids:
            if self._layers.pop(diff_id, None) is not None:
                names.append(self._names.pop(diff_id))
                self._unsynced.discard(diff_id)
                self._doubtful.discard(diff_id)
        return names

    def delete(self, names: Iterable[str]) -> None:
        """Delete forgotten layers from disk."""
        for name in names:
            self._delete(name)

    def flush(self) -> None:
        """Bring what was written so far to disk: a later ``sync`` has less to wait for."""
        files.sync_filesystem(self._root)

    def sync(self, wanted: Iterable[str]) -> None:
        """Return when these layers, and all that was written before them, are on disk."""
        unsynced = set(self._unsynced)
        if not unsynced.isdisjoint(wanted):
            files.sync_filesystem(self._root)
            self._unsynced -= unsynced

    def _write(self, record: Path, layer: Layer, *, durable: bool = True) -> None:
        body = {**msgspec.structs.asdict(layer), "boot": self._boot}
        files.write_atomic(record, codec.encode(body), durable=durable)

    def _free_name(self, diff_id: str) -> str:
        digits = diff_id.removeprefix("sha256:")
        taken = set(self._names.values())
        length = _SHORTEST
        while digits[:length] in taken:
            length += 1
        return digits[:length]

    def _record(self, name: str) -> Path:
        return self._root / f"{name}.json"

    def _delete(self, name: str) -> None:
        # Renamed first: a tree that is half deleted must not be found as a layer.
        doomed = self._ingest / f"removed-{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            (self._root / name).rename(doomed)
        self._record(name).unlink(missing_ok=True)
        split_of(self._root / name).unlink(missing_ok=True)
        remove_tree(doomed)


def split_of(tree: Path) -> Path:
    """The file beside a layer's tree that has the rest of its tar."""
    return tree.with_name(f"{tree.name}.split")


def _missing(diff_id: str) -> SystemFailure:
    return SystemFailure(f"layer {diff_id} is missing from the store: load the image again")


def remove_tree(path: Path) -> None:
    """Delete a directory with all in it, or a file. What cannot go is left to the next start."""
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            trees.remove(path)
    else:
        path.unlink(missing_ok=True)
    if path.exists():
        logger.warning("cannot delete %s wholly; the next start tries again", path)


def empty_directory(path: Path) -> None:
    for entry in path.iterdir():
        remove_tree(entry)
