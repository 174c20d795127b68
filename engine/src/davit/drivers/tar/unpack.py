"""Unpack a layer's tar stream into a directory that overlayfs can use as a lower one.

Whiteouts become overlayfs' own: ``.wh.x`` a character device 0/0 named ``x``, ``.wh..wh..opq`` the
attribute ``trusted.overlay.opaque=y`` of its directory.
Source: OCI image specification, layer.md, "Representing Changes"; kernel documentation, overlayfs,
"whiteouts and opaque directories".
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from davit.drivers.tar import kinds
from davit.drivers.tar.header import Entry
from davit.drivers.tar.reader import TarReader
from davit.drivers.tar.root import Root, remove, split
from davit.drivers.tar.split import Splitter
from davit.drivers.tar.stream import CHUNK, Source
from davit.errors import Forbidden, InvalidParameter, SystemFailure
from davit.sys.host import umask

logger = logging.getLogger(__name__)

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_OVERLAY_OPAQUE = "trusted.overlay.opaque"
# Overlayfs obeys these, so an archive must not set them.
_OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What a member's own name, device number or attributes can be the cause of.
_ENTRY_ERRORS = (errno.ENAMETOOLONG, errno.EINVAL, errno.ERANGE, errno.E2BIG, errno.EFBIG)
# Times of more directories are not remembered: each takes memory.
_TIMES_AT_MOST = 20_000
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DEVICES = {
    kinds.CHRTYPE: stat.S_IFCHR,
    kinds.BLKTYPE: stat.S_IFBLK,
    kinds.FIFOTYPE: stat.S_IFIFO,
}


def unpack(
    source: Source, directory: Path, *, whole: bool = False, splitter: Splitter | None = None
) -> int:
    """Unpack a layer into an empty directory and return the bytes of its files.

    whole: refuse an archive without end mark (when no digest will tell that it is cut). splitter:
    what the source is, to be told where contents stand.

    Raises InvalidParameter for what is no tar archive, is damaged or cut off, or has a path that
    leads out of the directory; SystemFailure when it cannot be written (disk full). Nothing outside
    is ever touched; the directory is the caller's to clean up.
    """
    reader = TarReader(source)
    with Root(directory) as root:
        unpacker = TreeWriter(root, reader, splitter)
        for entry in reader:
            try:
                unpacker.add(entry)
            except OSError as error:
                raise failure(entry, error, str(directory.parent)) from None
        unpacker.finish()
    if whole and not reader.ended:
        raise InvalidParameter("the tar archive is truncated: it has no end mark")
    return unpacker.size


class TreeWriter:
    """Makes an archive's members below a directory, one after the other."""

    def __init__(self, root: Root, reader: TarReader, splitter: Splitter | None = None) -> None:
        self._root = root
        self._reader = reader
        self._splitter = splitter
        self._times: dict[tuple[str, ...], int] = {}
        self.whiteouts = True
        # Whether a directory may give what is made in it another group or other permissions.
        self.inherits = _hands_down(root.directory([]))
        self._permissions = 0o777 & ~umask()
        self.size = 0

    def add(self, entry: Entry) -> None:
        """Make a member. Raises InvalidParameter for what an archive must not have."""
        parts = self.place(entry.name)
        if not parts:
            if entry.type == kinds.DIRTYPE:
                self._own_directory(self._root.directory([]), entry, ())
            return
        parent, name = parts[:-1], parts[-1]
        if name.startswith(_WHITEOUT) and self.whiteouts:
            self._whiteout(parent, name)
        elif entry.type == kinds.DIRTYPE:
            self._directory(parent, name, entry)
        else:
            self._other(parent, name, entry)

    def place(self, name: str) -> list[str]:
        """The path of a member below the root, or of what a hard link points to."""
        return split(name)

    def make_room(self, holder: int, name: str, entry: Entry) -> None:
        """Remove what is in a member's place: an earlier member of this archive put it there."""
        try:
            os.stat(name, dir_fd=holder, follow_symlinks=False)
        except FileNotFoundError:
            return
        if self._splitter is not None:
            self._splitter.give_up()
        remove(name, holder)
        self._root.forget()

    def finish(self) -> None:
        """Set the directories' times; filling them has changed these."""
        self._set_times(self._times)
        self._times.clear()

    def _set_times(self, times: Mapping[tuple[str, ...], int]) -> None:
        for path, mtime in times.items():
            # A later member may have taken the directory's place.
            with suppress(InvalidParameter):
                os.utime(self._root.directory(list(path)), ns=(mtime, mtime))

    def _directory(self, parent: list[str], name: str, entry: Entry) -> None:
        holder = self._root.directory(parent, create=True)
        opaque = False
        try:
            os.mkdir(name, 0o755, dir_fd=holder)
        except FileExistsError:
            there = os.stat(name, dir_fd=holder, follow_symlinks=False)
            if not stat.S_ISDIR(there.st_mode):
                opaque = _is_whiteout(there)
                self.make_room(holder, name, entry)
                holder = self._root.directory(parent)
                os.mkdir(name, 0o755, dir_fd=holder)
        descriptor = self._root.directory([*parent, name])
        if opaque:
            os.setxattr(descriptor, _OVERLAY_OPAQUE, b"y")
        self._own_directory(descriptor, entry, (*parent, name))

    def _own_directory(self, descriptor: int, entry: Entry, path: tuple[str, ...]) -> None:
        os.chown(descriptor, entry.uid, entry.gid)
        os.chmod(descriptor, entry.mode)
        if entry.gid or entry.mode & stat.S_ISGID or entry.xattrs:
            self.inherits = True
        _set_xattrs(descriptor, entry)
        self._times[path] = entry.mtime
        if len(self._times) > _TIMES_AT_MOST:
            # Archives are sorted: only what is above this one will be filled any more.
            above = {path[:depth] for depth in range(len(path) + 1)}
            self._set_times({key: at for key, at in self._times.items() if key not in above})
            self._times = {key: at for key, at in self._times.items() if key in above}

    def _other(self, parent: list[str], name: str, entry: Entry) -> None:
        if entry.type == kinds.LNKTYPE:
            self._hard_link(parent, name, entry)
            return
        if entry.is_file:
            self._file(parent, name, entry)
            return
        holder = self._root.directory(parent, create=True)
        self.make_room(holder, name, entry)
        holder = self._root.directory(parent)
        if entry.type == kinds.SYMTYPE:
            os.symlink(entry.linkname, name, dir_fd=holder)
            # As Docker counts, and stat(2) does.
            self.size += len(os.fsencode(entry.linkname))
        elif entry.type in _DEVICES:
            device = os.makedev(entry.major, entry.minor)
            os.mknod(name, _DEVICES[entry.type] | entry.mode, device, dir_fd=holder)
        else:
            raise InvalidParameter(
                f"the archive's member {entry.name!r} is of the unknown type {entry.type!r}"
            )
        os.chown(name, entry.uid, entry.gid, dir_fd=holder, follow_symlinks=False)
        if entry.type != kinds.SYMTYPE:
            _set_mode(holder, name, entry.mode)
        _set_xattrs(f"/proc/self/fd/{holder}/{name}", entry)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=holder, follow_symlinks=False)

    def _file(self, parent: list[str], name: str, entry: Entry) -> None:
        # Most files have their mode from the beginning, so that nobody has to set it.
        lacks_mode = self.inherits or entry.mode & ~self._permissions
        mode = 0o600 if lacks_mode else entry.mode
        holder = self._root.directory(parent, create=True)
        try:
            descriptor = os.open(name, _CREATE, mode, dir_fd=holder)
        except FileExistsError:
            self.make_room(holder, name, entry)
            descriptor = os.open(name, _CREATE, mode, dir_fd=self._root.directory(parent))
        try:
            self._contents(descriptor, entry)
            # In this order: a change of owner or contents takes set-user-ID bits and capabilities.
            if entry.uid or entry.gid or self.inherits:
                os.fchown(descriptor, entry.uid, entry.gid)
            if lacks_mode:
                os.fchmod(descriptor, entry.mode)
            _set_xattrs(descriptor, entry)
            os.utime(descriptor, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(descriptor)
        self.size += entry.size

    def _contents(self, descriptor: int, entry: Entry) -> None:
        if entry.pieces is not None:
            self._copy_pieces(descriptor, entry)
            return
        if self._splitter is not None:
            self._splitter.contents(entry.name, entry.stored, self._reader.pending)
        self._copy(descriptor, entry.stored)

    def _copy(self, descriptor: int, left: int) -> None:
        while left:
            data = self._reader.read(min(CHUNK, left))
            if not data:
                raise InvalidParameter("the tar archive is damaged: a sparse file's map is wrong")
            left -= len(data)
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])

    def _copy_pieces(self, descriptor: int, entry: Entry) -> None:
        for offset, length in entry.pieces or ():
            os.lseek(descriptor, offset, os.SEEK_SET)
            self._copy(descriptor, length)
        os.ftruncate(descriptor, entry.size)

    def _hard_link(self, parent: list[str], name: str, entry: Entry) -> None:
        target = self.place(entry.linkname)
        if not target:
            raise InvalidParameter(f"refused: {entry.name!r} is a hard link to the root directory")
        source = os.dup(self._root.directory(target[:-1]))
        try:
            holder = self._root.directory(parent, create=True)
            try:
                there = os.stat(target[-1], dir_fd=source, follow_symlinks=False)
            except FileNotFoundError:
                raise InvalidParameter(
                    f"the archive has the hard link {entry.name!r} to {entry.linkname!r}, which is "
                    "not in this layer"
                ) from None
            if stat.S_ISDIR(there.st_mode):
                raise InvalidParameter(f"refused: {entry.name!r} is a hard link to a directory")
            if not _same(holder, name, there):
                self.make_room(holder, name, entry)
                holder = self._root.directory(parent)
                os.link(
                    target[-1], name, src_dir_fd=source, dst_dir_fd=holder, follow_symlinks=False
                )
            _own_link(holder, name, there, entry)
        finally:
            os.close(source)

    def _whiteout(self, parent: list[str], name: str) -> None:
        if name == _OPAQUE:
            descriptor = self._root.directory(parent, create=True)
            os.setxattr(descriptor, _OVERLAY_OPAQUE, b"y")
            return
        hidden = name[len(_WHITEOUT) :]
        if hidden.startswith(_WHITEOUT) or hidden in ("", ".", ".."):
            # .wh..wh.plnk and the like: bookkeeping of aufs, no part of the layer.
            return
        holder = self._root.directory(parent, create=True)
        try:
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=holder)
        except FileExistsError:
            # Whiteouts speak of lower layers only: what this layer itself has stays.
            there = os.stat(hidden, dir_fd=holder, follow_symlinks=False)
            if stat.S_ISDIR(there.st_mode):
                os.setxattr(self._root.directory([*parent, hidden]), _OVERLAY_OPAQUE, b"y")


def failure(entry: Entry, error: OSError, where: str) -> Exception:
    """What a failed system call says of a member, or of this host. where: what was written to."""
    if isinstance(error, ConnectionError):
        return error
    if error.errno in _ENTRY_ERRORS:
        return InvalidParameter(f"the archive's member {entry.name!r}: {error.strerror}")
    if error.errno == errno.EROFS:
        return Forbidden(
            f"the archive's member {entry.name!r} belongs where {where} is mounted read-only"
        )
    advice = f": make room for {where}" if error.errno in _FULL else ""
    return SystemFailure(
        f"cannot unpack the archive's member {entry.name!r}: {error.strerror}{advice}"
    )


def _set_mode(holder: int, name: str, mode: int) -> None:
    """Set what the umask and the change of owner have taken from a device's mode.

    By a descriptor: chmod(2) of a name would follow a link which has taken its place, out of the
    tree.
    """
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=holder)
    try:
        if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
            os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def _own_link(holder: int, name: str, there: os.stat_result, entry: Entry) -> None:
    """Give a file what its further name says of it; as with Docker, the last one counts.

    there: the file as it is. Mostly both say the same, and then nothing is touched: a change of
    owner would take its capabilities.
    """
    if (there.st_uid, there.st_gid) != (entry.uid, entry.gid):
        os.chown(name, entry.uid, entry.gid, dir_fd=holder, follow_symlinks=False)
    elif stat.S_IMODE(there.st_mode) == entry.mode and there.st_mtime_ns == entry.mtime:
        return
    if not stat.S_ISLNK(there.st_mode):
        _set_mode(holder, name, entry.mode)
        _set_xattrs(f"/proc/self/fd/{holder}/{name}", entry)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=holder, follow_symlinks=False)


def _set_xattrs(target: int | str, entry: Entry) -> None:
    for name, value in entry.xattrs.items():
        if name.startswith(_OVERLAY_XATTRS):
            logger.warning("attribute %s of %r is left out: overlayfs obeys it", name, entry.name)
            continue
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            # The file system has no such attributes, or the kernel has none on this kind of file.
            if error.errno not in (errno.ENOTSUP, errno.EPERM) or name.startswith("security.cap"):
                raise
            logger.warning("attribute %s of %r cannot be set: %s", name, entry.name, error)


def _hands_down(directory: int) -> bool:
    """Whether what is made in it gets a list of who may do what (acl(5)) instead of the umask."""
    try:
        os.getxattr(directory, "system.posix_acl_default")
    except OSError:
        return False
    return True


def _is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def _same(holder: int, name: str, other: os.stat_result) -> bool:
    try:
        there = os.stat(name, dir_fd=holder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (other.st_dev, other.st_ino)
