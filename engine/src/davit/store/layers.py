"""Unpacked layers: one directory per diff ID, ready to be a lower directory of overlayfs.

``layers/<first hex digits of the diff ID>`` is the tree and ``….json`` beside it says what it is.
The name is short because all lower directories of a mount together must fit into one page. It has
twelve digits, one more for each other layer that has the same beginning.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from davit.errors import SystemFailure
from davit.model import codec
from davit.model.image import Layer
from davit.sys import files, trees

logger = logging.getLogger(__name__)

_SHORTEST = 12


class LayerStore:
    """Layers under one root. Everything but the look-ups blocks: use it from a thread."""

    def __init__(self, root: Path, ingest: Path) -> None:
        self._root = root
        self._ingest = ingest
        self._layers: dict[str, Layer] = {}
        self._names: dict[str, str] = {}
        self._unsynced: set[str] = set()

    def open(self) -> None:
        """Read what is there; once, at start-up. Halves of a layer are removed."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._ingest.mkdir(parents=True, exist_ok=True, mode=0o700)
        empty_directory(self._ingest)
        for entry in sorted(self._root.iterdir()):
            name = entry.name.removesuffix(".json")
            record = self._record(name)
            try:
                layer = codec.decode(record.read_bytes(), Layer)
            except (FileNotFoundError, msgspec.DecodeError):
                layer = None
            if layer is None or not (self._root / name).is_dir():
                self._delete(name)
            else:
                self._layers[layer.diff_id] = layer
                self._names[layer.diff_id] = name

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

    def stage(self) -> Path:
        """Make an empty directory to unpack into. ``commit`` it or ``discard`` it."""
        path = self._ingest / f"layer-{secrets.token_hex(8)}"
        path.mkdir()
        path.chmod(0o755)  # whatever the umask: it is the / of containers
        return path

    def commit(self, staged: Path, layer: Layer) -> None:
        """Take a staged tree in. A layer that is there already is kept, the new one discarded."""
        if layer.diff_id in self._layers:
            self.discard(staged)
            return
        name = self._free_name(layer.diff_id)
        record = self._record(name)
        # The tree comes last: a record without one is removed at the next start.
        files.write_atomic(record, codec.encode(layer))
        staged.rename(self._root / name)
        self._layers[layer.diff_id] = layer
        self._names[layer.diff_id] = name
        self._unsynced.add(layer.diff_id)

    def update(self, layer: Layer) -> Layer:
        """Write the record of a layer anew (its blob is another one); return it."""
        files.write_atomic(self._record(self._names[layer.diff_id]), codec.encode(layer))
        self._layers[layer.diff_id] = layer
        return layer

    def discard(self, staged: Path) -> None:
        """Delete a staged tree. Idempotent."""
        remove_tree(staged)

    def remove(self, diff_id: str) -> None:
        """Delete a layer. Idempotent."""
        self._layers.pop(diff_id, None)
        self._unsynced.discard(diff_id)
        name = self._names.pop(diff_id, None)
        if name is not None:
            self._delete(name)

    def sweep(self, wanted: Container[str]) -> list[str]:
        """Delete every layer that is not in ``wanted``; return their diff IDs."""
        removed = [diff_id for diff_id in self._layers if diff_id not in wanted]
        for diff_id in removed:
            self.remove(diff_id)
        return removed

    def sync(self, wanted: Iterable[str]) -> None:
        """Return when these layers, and all that was written before them, are on disk."""
        unsynced = set(self._unsynced)
        if not unsynced.isdisjoint(wanted):
            files.sync_filesystem(self._root)
            self._unsynced -= unsynced

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
        with suppress(FileNotFoundError):
            self._record(name).unlink()
        remove_tree(doomed)


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
