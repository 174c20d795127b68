"""What of a log is still to be read: its files, oldest first, held open.

Rotation deletes files while somebody reads. One that is open can be read to its end although it has
lost its names, so a reader opens all that there is before it reads the first line. It opens them
from the newest to the oldest, and rotation deletes from the oldest to the newest: wherever the two
meet, nothing is missing in the middle.

All functions block.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from davit.drivers.logs import segments

BLOCK = 256 << 10
"""Bytes read at a time: what a reader holds in memory, together with a line of each stream."""


@dataclass
class Part:
    """An open file. number: None as long as it has none. packed: it is compressed."""

    descriptor: int
    number: int | None
    packed: bool = False

    @property
    def inode(self) -> int:
        return os.fstat(self.descriptor).st_ino

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def follows(self, other: Part) -> bool:
        if self.number is None or other.number is None:
            return self.inode != other.inode
        return self.number > other.number

    def unpack(self, directory: Path) -> None:
        """Go on with an unnamed copy there, which is not compressed."""
        if self.packed:
            plain = segments.unpack(self.descriptor, directory)
            os.close(self.descriptor)
            self.descriptor, self.packed = plain, False


class Trail:
    """A place in a log. Closed by its owner.

    parts: oldest first, at least one. follows: whether what conmon begins later belongs to it, too.
    """

    def __init__(self, log: Path, parts: deque[Part], *, follows: bool) -> None:
        self._log = log
        self._parts = parts
        self._follows = follows

    @property
    def part(self) -> Part:
        """The file that is being read."""
        return self._parts[0]

    @property
    def link(self) -> Path:
        """A name for that file, whatever its name on the disk has become."""
        return Path(f"/proc/self/fd/{self.part.descriptor}")

    def is_old(self) -> bool:
        """Whether the file is complete: another one follows, or the log is gone."""
        self._look()
        return len(self._parts) > 1 or (self._follows and not self._log.exists())

    def read(self) -> bytes:
        self._look()
        return os.read(self.part.descriptor, BLOCK)

    def advance(self) -> bool:
        """Go to the file that follows; False when there is none."""
        if len(self._parts) == 1:
            return False
        os.close(self._parts.popleft().descriptor)
        try:
            self.part.unpack(self._log.parent)
        except FileNotFoundError:  # the directory: the container was removed
            return False
        return True

    def close(self) -> None:
        while self._parts:
            os.close(self._parts.popleft().descriptor)

    def _look(self) -> None:
        """Open what conmon has begun since, but no more than twice as much as rotation keeps.

        Whoever reads too slowly would otherwise fill the disk with files that have no name.
        """
        last = self._parts[-1]
        if not self._follows or segments.inode_of(self._log) in (None, last.inode):
            return
        if len(self._parts) > 1 + len(segments.numbered(self._log)):
            return
        later = deque[Part]()
        with closing_on_error(later):
            for part in backwards(self._log):
                later.appendleft(part)
                if part.follows(last):
                    continue
                if last.number is None:
                    last.number = part.number
                os.close(later.popleft().descriptor)
                break
        self._parts += later


def close(trail: Trail | None) -> None:
    """Close what nobody takes."""
    if trail is not None:
        trail.close()


def backwards(log: Path) -> Iterator[Part]:
    """Open the file that is written, and then what is older; nothing when there is no log.

    The caller closes them.
    """
    newest = _newest(log)
    if newest is None:
        return
    part, older = newest
    yield part
    for number in older:
        with contextlib.suppress(FileNotFoundError):
            descriptor, packed = segments.open_part(log, number)
            yield Part(descriptor, number, packed)


@contextlib.contextmanager
def closing_on_error(parts: Iterable[Part]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for part in parts:
            os.close(part.descriptor)
        raise


def _newest(log: Path) -> tuple[Part, range] | None:
    """Open the file that is written; return it and the numbers of those before, latest first."""
    while True:
        try:
            descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        part = Part(descriptor, None)
        with closing_on_error([part]):
            inode, files = part.inode, segments.numbered(log)
            part.number = next((file.number for file in files if file.inode == inode), None)
            if part.number is not None:
                # A listing may miss a name that is made while it is read: so all are tried.
                return part, range(part.number - 1, files[0].number - 1, -1)
            # It has no number yet: all others but the one in reserve are older.
            reserved = segments.inode_of(segments.spare(log))
            older = [file.number for file in files if file.inode != reserved]
            if segments.inode_of(log) == inode:
                return part, range(older[-1], older[0] - 1, -1) if older else range(0)
        # conmon has gone on meanwhile.
        os.close(descriptor)
