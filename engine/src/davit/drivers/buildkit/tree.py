"""A tree of files as a client sends it: descriptions, then contents, in parts.

Source: the protocol of fsutil; modes are those of Go's ``io/fs``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from davit._pb.buildkit_pb2 import Packet, Stat
from davit.errors import InvalidParameter, SystemFailure

_DIRECTORY, _LINK = 1 << 31, 1 << 27
_DEVICE, _CHARACTERS, _PIPE, _SOCKET = 1 << 26, 1 << 21, 1 << 25, 1 << 24
_OTHER = _DIRECTORY | _LINK | _DEVICE | _CHARACTERS | _PIPE | _SOCKET
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BITS = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
# As for archives: what the kernel or overlayfs obeys is not a client's to set.
_ATTRIBUTES, _OVERLAY = ("user.", "security.capability"), "user.overlay."


class Tree:
    """Writes below a new directory, which nobody else changes meanwhile.

    A path is only taken when its parent is a directory of this tree, never a link.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._directories: dict[str, Stat] = {"": Stat()}
        self._files: set[str] = set()
        self._expected: dict[int, Stat] = {}
        self._open: dict[int, int] = {}
        self._count = 0
        self._announced: set[str] = set()

    def announce(self, found: Stat) -> int | None:
        """Take notice of the next description; return the number to ask for its contents by."""
        number = self._count
        self._count += 1
        if found.mode & _OTHER or found.linkname in self._announced:
            return None
        self._announced.add(found.path)
        return number

    def apply(self, packets: Sequence[tuple[int | None, Packet]]) -> None:
        """Write what has come: descriptions (with their number, or None) and contents. Blocking.

        Raises InvalidParameter for a path that leads elsewhere, SystemFailure.
        """
        try:
            for number, packet in packets:
                if packet.type == Packet.STAT:
                    self._add(number, packet.stat)
                else:
                    self._write(packet.id, packet.data)
        except FileExistsError as error:
            raise InvalidParameter(f"the context has {error.filename!r} twice") from error
        except OSError as error:
            raise SystemFailure(f"cannot write the context: {error}") from error

    def finish(self) -> None:
        """Give the directories their modes and times. Blocking."""
        del self._directories[""]
        for path, found in reversed(self._directories.items()):
            place = self._root / path
            place.chmod(_mode(found.mode))
            _describe(place, found)

    def close(self) -> None:
        """Close what is open. Blocking."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _add(self, number: int | None, found: Stat) -> None:
        path = found.path
        parent, slash, name = path.rpartition("/")
        if parent not in self._directories or (slash and not parent) or "\0" in path:
            raise InvalidParameter(f"the context has a file outside its directories: {path!r}")
        if name in ("", ".", ".."):
            raise InvalidParameter(f"the context has a file without a name: {path!r}")
        place = self._root / path
        if found.mode & _DIRECTORY:
            place.mkdir(0o700)
            self._directories[path] = found
        elif number is not None:
            # Others may be links to it before its contents come.
            os.close(os.open(place, _CREATE, 0o600))
            self._files.add(path)
            self._expected[number] = found
        elif found.mode & _LINK:
            place.symlink_to(found.linkname)
            _describe(place, found)
        elif found.linkname in self._files:
            os.link(self._root / found.linkname, place, follow_symlinks=False)
        elif kind := _node(found.mode):
            os.mknod(place, kind | 0o600, os.makedev(found.devmajor, found.devminor))
            place.chmod(_mode(found.mode))
            _describe(place, found)

    def _write(self, number: int, data: bytes) -> None:
        found = self._expected.get(number)
        if found is None:
            raise InvalidParameter(f"the context has contents of no file (number {number})")
        place = self._root / found.path
        descriptor = self._open.get(number)
        if descriptor is None:
            descriptor = self._open[number] = os.open(place, os.O_WRONLY | os.O_CLOEXEC)
        if data:
            while data:
                data = data[os.write(descriptor, data) :]
            return
        os.fchmod(descriptor, _mode(found.mode))
        os.close(self._open.pop(number))
        del self._expected[number]
        _describe(place, found)


def _node(mode: int) -> int:
    """The type of a pipe or device, else 0: sockets mean nothing without who listens."""
    if mode & _PIPE:
        return stat.S_IFIFO
    if mode & _DEVICE:
        return stat.S_IFCHR if mode & _CHARACTERS else stat.S_IFBLK
    return 0


def _mode(mode: int) -> int:
    return mode & 0o777 | sum(bit for theirs, bit in _BITS if mode & theirs)


def _describe(place: Path, found: Stat) -> None:
    for name, value in found.xattrs.items():
        if name.startswith(_ATTRIBUTES) and not name.startswith(_OVERLAY):
            with suppress(OSError):  # No file system has them all.
                os.setxattr(place, name, value, follow_symlinks=False)
    os.utime(place, ns=(found.mod_time, found.mod_time), follow_symlinks=False)
