"""Pack a directory tree into a tar stream (POSIX pax).

The tree may change meanwhile: nothing is followed but directories that were listed, and a file has
in the archive the size that its header says.
Source: POSIX.1-2017 ``pax``; OCI image specification, layer.md, for whiteouts and attributes.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import tarfile
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass

from davit.drivers.tar.header import BLOCK
from davit.drivers.tar.stream import CHUNK
from davit.sys import inside

logger = logging.getLogger(__name__)

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPAQUE_ATTRIBUTE = "trusted.overlay.opaque"
_XATTR = "SCHILY.xattr."
# Of the host's bookkeeping, and of security modules that know this host's labels only.
_PRIVATE_ATTRIBUTES = ("trusted.overlay.", "user.overlay.", "security.selinux", "security.ima")
# What opening answers when something else has taken the place meanwhile: nothing, a link, a socket.
_NO_FILE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
_NO_DIRECTORY = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
_OPEN_AT_MOST = 32
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}

Pieces = Generator[bytes, None, None]
Owner = Callable[[int, int], "tuple[int, int]"]


@dataclass
class _Level:
    """An open directory on the way down. names: what is still to be packed of it, last first."""

    descriptor: int | None
    name: str
    member: str
    names: list[str]
    identity: tuple[int, int]


class _Trail:
    """The directories from the top to the present one; of deep ones only the lowest are open."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []

    def __bool__(self) -> bool:
        return bool(self._levels)

    def enter(self, descriptor: int, name: str, member: str) -> None:
        """Go down. The trail closes the descriptor."""
        found = os.fstat(descriptor)
        names = sorted(os.listdir(descriptor), reverse=True)
        level = _Level(descriptor, name, member, names, (found.st_dev, found.st_ino))
        self._levels.append(level)
        if len(self._levels) > _OPEN_AT_MOST:  # the top stays open
            _close(self._levels[-_OPEN_AT_MOST])

    def next(self) -> tuple[int, str, str] | None:
        """The next one's directory, that one's member name, its name; None after going up."""
        level = self._levels[-1]
        if level.names:
            descriptor = level.descriptor
            if descriptor is None:
                descriptor = level.descriptor = self._reopened(level)
            if descriptor is not None:
                return descriptor, level.member, level.names.pop()
        _close(self._levels.pop())
        return None

    def close(self) -> None:
        while self._levels:
            _close(self._levels.pop())

    def _reopened(self, level: _Level) -> int | None:
        top = self._levels[0].descriptor
        path = "/".join(above.name for above in self._levels[1:])
        assert top is not None
        try:
            descriptor = inside.open_without_links(top, path, _DIRECTORY)
        except OSError as error:
            logger.warning("the rest of a deep directory is left out: %s", error.strerror)
            return None
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != level.identity:  # moved away meanwhile
            os.close(descriptor)
            return None
        return descriptor


def _close(level: _Level) -> None:
    if level.descriptor is not None:
        os.close(level.descriptor)
        level.descriptor = None


class Packer:
    """Yields the archive's bytes, in pieces of about 256 KiB. Everything blocks.

    owner: what a user and a group ID on disk are in the archive.
    skip: tells of a member's name whether it is left out with all below it.
    layer: the tree is the upper directory of an overlay: its whiteouts become ``.wh.`` files.
    """

    def __init__(
        self,
        *,
        owner: Owner = lambda uid, gid: (uid, gid),
        skip: Callable[[str], bool] = lambda _: False,
        layer: bool = False,
    ) -> None:
        self._owner = owner
        self._skip = skip
        self._layer = layer
        self._links: dict[tuple[int, int], str] = {}

    def pack(self, parent: int, name: str, member: str) -> Pieces:
        """Pack ``name`` in the directory ``parent`` as ``member``, and what is below it.

        ``.`` is the directory itself; with an empty ``member`` only what is in it is packed.
        """
        buffer = bytearray()
        for piece in self._tree(parent, name, member):
            buffer += piece
            if len(buffer) >= CHUNK:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer) + bytes(2 * BLOCK)

    def _tree(self, parent: int, name: str, member: str) -> Pieces:
        """Depth first. Without recursion: a container may nest as deep as it likes."""
        trail = _Trail()
        try:
            yield from self._entry(trail, parent, name, member)
            while trail:
                below = trail.next()
                if below is not None:
                    descriptor, directory, entry = below
                    yield from self._entry(trail, descriptor, entry, os.path.join(directory, entry))
        finally:
            trail.close()

    def _entry(self, trail: _Trail, parent: int, name: str, member: str) -> Pieces:
        if member and self._skip(member):
            return
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return  # it was there when the directory was listed
        kind = stat.S_IFMT(found.st_mode)
        if self._layer and stat.S_ISCHR(kind) and found.st_rdev == 0:
            yield _header(_whiteout(member))
        elif stat.S_ISDIR(kind):
            yield from self._directory(trail, parent, name, member)
        elif (known := self._links.get((found.st_dev, found.st_ino))) is not None:
            info = self._info(member, found)
            info.type, info.linkname, info.size = tarfile.LNKTYPE, known, 0
            yield _header(info, {}, found.st_mtime_ns)
        elif stat.S_ISREG(kind):
            yield from self._file(parent, name, member)
        elif kind in _TYPES:
            info = self._info(member, found)
            if stat.S_ISLNK(kind):
                try:
                    info.linkname = os.readlink(name, dir_fd=parent)
                except OSError:
                    return  # it is no link any more
            self._remember(found, member)
            yield _header(info, attributes(f"/proc/self/fd/{parent}/{name}"), found.st_mtime_ns)
        # A socket is nothing without the process that listens.

    def _directory(self, trail: _Trail, parent: int, name: str, member: str) -> Pieces:
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        except OSError as error:
            if error.errno not in _NO_DIRECTORY:
                raise
            return
        trail.enter(descriptor, name, member)
        if member:
            found = os.fstat(descriptor)
            info = self._info(f"{member.rstrip('/')}/", found)
            yield _header(info, attributes(descriptor), found.st_mtime_ns)
        if self._layer and _is_opaque(descriptor):
            yield _header(tarfile.TarInfo(os.path.join(member, ".wh..wh..opq")))

    def _file(self, parent: int, name: str, member: str) -> Pieces:
        try:
            descriptor = os.open(name, _FILE, dir_fd=parent)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            return
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return
            self._remember(found, member)
            info = self._info(member, found)
            yield _header(info, attributes(descriptor), found.st_mtime_ns)
            left = found.st_size
            while left and (data := file.read(min(CHUNK, left))):
                left -= len(data)
                yield data
            # It has become shorter: zeros stand for what its header promised.
            while left:
                yield bytes(min(CHUNK, left))
                left -= min(CHUNK, left)
            yield bytes(-found.st_size % BLOCK)

    def _remember(self, found: os.stat_result, member: str) -> None:
        """Have further names of the same inode packed as hard links."""
        if found.st_nlink > 1:
            self._links[found.st_dev, found.st_ino] = member

    def _info(self, member: str, found: os.stat_result) -> tarfile.TarInfo:
        info = tarfile.TarInfo(member)
        info.type = _TYPES[stat.S_IFMT(found.st_mode)]
        info.mode = stat.S_IMODE(found.st_mode)
        info.uid, info.gid = self._owner(found.st_uid, found.st_gid)
        info.mtime = found.st_mtime_ns // 10**9
        info.size = found.st_size if info.type == tarfile.REGTYPE else 0
        if info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            info.devmajor, info.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
        return info


def _header(
    info: tarfile.TarInfo, attributes: dict[str, bytes] | None = None, mtime: int = 0
) -> bytes:
    records = {
        f"{_XATTR}{name}": value.decode(errors="surrogateescape")
        for name, value in (attributes or {}).items()
    }
    if mtime % 10**9:
        sign, since = ("-", -mtime) if mtime < 0 else ("", mtime)
        records["mtime"] = f"{sign}{since // 10**9}.{since % 10**9:09d}"
    info.pax_headers = records
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _whiteout(member: str) -> tarfile.TarInfo:
    directory, name = os.path.split(member)
    return tarfile.TarInfo(os.path.join(directory, f".wh.{name}"))


def attributes(target: int | str) -> dict[str, bytes]:
    """Extended attributes of an open file, or of a path, that archives may have."""
    found: dict[str, bytes] = {}
    follow = isinstance(target, int)
    with suppress(OSError):  # the file system has none
        for name in os.listxattr(target, follow_symlinks=follow):
            if not name.startswith(_PRIVATE_ATTRIBUTES):
                found[name] = os.getxattr(target, name, follow_symlinks=follow)
    return found


def _is_opaque(descriptor: int) -> bool:
    try:
        return os.getxattr(descriptor, _OPAQUE_ATTRIBUTE) == b"y"
    except OSError:
        return False
