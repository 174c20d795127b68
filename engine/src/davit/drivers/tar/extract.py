"""Extract an archive into a tree that is in use: what ``docker cp`` brings into a container."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from davit.drivers.tar import kinds
from davit.drivers.tar.compression import HEAD, decompressed, is_compressed
from davit.drivers.tar.header import Entry
from davit.drivers.tar.reader import TarReader
from davit.drivers.tar.root import Root, split
from davit.drivers.tar.stream import Peeked, Source
from davit.drivers.tar.unpack import TreeWriter, failure
from davit.errors import InvalidParameter

Owner = Callable[[int, int], "tuple[int, int]"]


class Extractor(TreeWriter):
    """Writes below one directory of the tree; links are those of the whole tree."""

    def __init__(self, root: Root, reader: TarReader, below: list[str], *, replace: bool) -> None:
        super().__init__(root, reader)
        self.whiteouts = False
        self.inherits = True
        self._below = below
        self._replace = replace

    def place(self, name: str) -> list[str]:
        return [*self._below, *split(name.lstrip("/"))]

    def make_room(self, holder: int, name: str, entry: Entry) -> None:
        try:
            there = os.stat(name, dir_fd=holder, follow_symlinks=False)
        except FileNotFoundError:
            return
        was_directory, is_directory = stat.S_ISDIR(there.st_mode), entry.type == kinds.DIRTYPE
        if was_directory != is_directory and not self._replace:
            old, new = ("directory", "non-directory")[:: 1 if was_directory else -1]
            raise InvalidParameter(f"cannot overwrite {old} {entry.name!r} with {new}")
        super().make_room(holder, name, entry)


def extract(
    source: Source,
    root: str,
    below: list[str],
    *,
    replace: bool,
    owner: Owner,
    mode: int | None = None,
) -> None:
    """Extract into the directory ``below`` of the tree ``root``. Blocking.

    source: an archive, compressed or not.
    replace: a file may take the place of a directory, and the other way round.
    owner: what a user and a group ID in the archive are on disk. mode: permissions of everything,
    None for each member's own.
    Raises InvalidParameter for a damaged archive and for paths that lead out of the tree.
    """
    peeked = Peeked(source, HEAD)
    compressed = is_compressed(peeked.head)
    reader = TarReader(decompressed(peeked) if compressed else peeked)
    with Root(root) as tree:
        writer = Extractor(tree, reader, below, replace=replace)
        for entry in reader:
            entry.uid, entry.gid = owner(entry.uid, entry.gid)
            entry.mode = entry.mode if mode is None else mode
            try:
                # The directory itself was there before, and keeps its owner and its mode.
                if writer.place(entry.name) != below:
                    writer.add(entry)
            except OSError as error:
                raise failure(entry, error, f"/{'/'.join(below)} of the container") from None
        writer.finish()
    if compressed and not reader.ended:  # not all formats tell that they are cut off
        raise InvalidParameter("the tar archive is truncated: it has no end mark")
