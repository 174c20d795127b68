"""COPY and ADD: which files, what they are (a digest), and how they get into the image.

Everything blocks. Names in the context and in images are resolved by the kernel within their tree.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import posixpath
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.extract import extract
from davit.drivers.tar.pack import Packer, attributes
from davit.drivers.tar.reader import TarReader
from davit.drivers.tar.root import Root
from davit.drivers.tar.stream import CHUNK, Pieces
from davit.errors import InvalidParameter
from davit.spec.dockerfile.match import WILDCARDS, Ignored, wildcard
from davit.sys import inside

Owner = Callable[[int, int], "tuple[int, int]"]


class Hash(Protocol):
    """The shape of hashlib's objects."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Found:
    """One source. path: without links, below root; name: as it was asked for; is_archive: to be
    unpacked at its destination. keep: its path below the destination (``COPY --parents``)."""

    root: Path
    path: str
    name: str
    is_directory: bool
    is_archive: bool = False
    keep: str = ""


@dataclass(frozen=True)
class Target:
    """Where files go and how. path: absolute in the image; many: it has to be a directory.

    owner: what owners on disk become; unpacked: those in archives; made_by: of directories on the
    way; mode: instead of each file's own; ignored: left out.
    """

    path: str
    many: bool
    owner: Owner
    unpacked: Owner
    made_by: tuple[int, int] = (0, 0)
    mode: int | None = None
    ignored: Ignored | None = None


def find(root: Path, pattern: str, what: str) -> list[Found]:
    """Return the sources that a word of COPY names. what: the instruction, for the error."""
    path = posixpath.normpath(f"/{pattern}").lstrip("/")
    if not WILDCARDS.search(path):
        return [resolve(root, path, what, pattern)]
    fits = wildcard(path)
    names = sorted(name for name in _names(root, "", path.count("/")) if fits.match(name))
    return [resolve(root, name, what) for name in names]


def find_with_parents(root: Path, pattern: str, what: str) -> list[Found]:
    """The same for ``--parents``: of a path all is kept, or what follows ``/./``."""
    before, pivot, _ = pattern.partition("/./")
    above = posixpath.normpath(f"/{before}").strip("/") if pivot else ""
    path = posixpath.normpath(f"/{pattern}").lstrip("/")
    names = [path]
    if WILDCARDS.search(path):
        fits = wildcard(path, deep=True)
        depth = sys.maxsize if "**" in path else path.count("/")
        names = sorted(name for name in _names(root, "", depth) if fits.match(name))
    skip = len(above.split("/")) if above else 0
    return [
        dataclasses.replace(resolve(root, name, what), keep="/".join(name.split("/")[skip:]))
        for name in names
    ]


def digest(found: Sequence[Found], target: Target) -> str:
    """``file:``, ``dir:`` or ``multi:`` and a digest of all that the copies will have.

    Times do not count.
    """
    kinds = {True: "dir", False: "file"}
    whole = hashlib.sha256()
    for source in found:
        root = os.open(source.root / source.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            name = source.keep
            if not name and not source.is_directory:
                name = posixpath.basename(source.name)
            _hash(whole, f"/proc/self/fd/{root}", name, "", target)
        finally:
            os.close(root)
    kind = kinds[found[0].is_directory] if len(found) == 1 else "multi"
    return f"{kind}:{whole.hexdigest()}"


def copy(found: Sequence[Found], tree: Path, target: Target) -> None:
    """Copy sources into an image's tree. Raises InvalidParameter, SystemFailure (disk full)."""
    for source in found:
        _copy(source, tree, target)


def make_directory(tree: Path, path: str, owner: tuple[int, int]) -> None:
    """Make a directory and those above it that are missing; what is there stays as it is."""
    parts = _parts(path)
    with Root(tree) as root:
        for count in range(1, len(parts) + 1):
            try:
                root.directory(parts[:count])
            except InvalidParameter:
                try:
                    descriptor = root.directory(parts[:count], create=True, behind_links=True)
                except InvalidParameter:
                    place = "/".join(parts[:count])
                    raise InvalidParameter(
                        f"cannot make the directory /{place}: something else is there or on the way"
                    ) from None
                os.fchown(descriptor, *owner)


def is_archive(path: Path) -> bool:
    """Whether this is a tar archive, compressed or not, as its beginning tells."""
    with path.open("rb") as file:
        try:
            return next(iter(TarReader(decompressed(file))), None) is not None
        except InvalidParameter:
            return False


def resolve(root: Path, path: str, what: str, name: str = "") -> Found:
    """Find one file or directory below a root. name: as it was asked for, when not by the path."""
    with ExitStack() as stack:
        base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, base)
        try:
            descriptor = inside.open_inside(base, path, os.O_PATH)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            raise InvalidParameter(
                f"{what} failed: file not found in build context or excluded by .dockerignore: "
                f"stat {path}: file does not exist"
            ) from None
        stack.callback(os.close, descriptor)
        real = inside.path_inside(base, descriptor).lstrip("/")
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        return Found(root, real, name or path, is_directory)


def _names(root: Path, prefix: str, depth: int) -> Iterator[str]:
    """Yield the paths below a directory that have at most ``depth`` slashes."""
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            path = f"{prefix}{entry.name}"
            yield path
            if depth and entry.is_dir(follow_symlinks=False):
                yield from _names(root, f"{path}/", depth - 1)


def _copy(source: Found, tree: Path, target: Target) -> None:
    if source.is_archive:
        _unpack(source, tree, target)
        return
    path = target.path
    if source.keep:
        kept = source.keep if source.is_directory else posixpath.dirname(source.keep)
        path = posixpath.join(path, kept, "")
    with ExitStack() as stack:
        if source.is_directory:
            below, member, name = path, "", "."
            directory = source.path
        else:
            directory, name = posixpath.split(source.path)
            if target.many or path.endswith("/") or _is_directory(tree, path):
                below, member = path, posixpath.basename(source.name.rstrip("/"))
            else:
                below, member = posixpath.split(path)
        make_directory(tree, below, target.made_by)
        parent = os.open(
            source.root / directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )
        stack.callback(os.close, parent)
        ignored = target.ignored
        packer = Packer(
            owner=target.owner,
            skip=(lambda member: member in ignored) if ignored else (lambda _: False),
        )
        extract(
            Pieces(packer.pack(parent, name, member)),
            str(tree),
            _parts(below),
            replace=True,
            owner=lambda uid, gid: (uid, gid),
            mode=target.mode,
        )


def _unpack(source: Found, tree: Path, target: Target) -> None:
    make_directory(tree, target.path, target.made_by)
    with (source.root / source.path).open("rb") as file:
        extract(
            decompressed(file),
            str(tree),
            _parts(target.path),
            replace=True,
            owner=target.unpacked,
            mode=target.mode,
        )


def _is_directory(tree: Path, path: str) -> bool:
    base = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(inside.open_inside(base, path, os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return False
    finally:
        os.close(base)
    return True


def _hash(whole: Hash, place: str, name: str, below: str, target: Target) -> None:
    """Add a file, or a directory with all in it; below: its path in the directory copied."""
    if below and target.ignored is not None and below in target.ignored:
        return
    status = os.stat(place) if not below else os.lstat(place)
    mode = status.st_mode
    if target.mode is not None and not stat.S_ISLNK(mode):
        mode = stat.S_IFMT(mode) | target.mode
    record = [f"{name}/{below}", mode, *target.owner(status.st_uid, status.st_gid)]
    if stat.S_ISLNK(mode):
        record.append(os.readlink(place))
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        record.append(status.st_rdev)
    # The directory that is copied brings its contents only.
    if not stat.S_ISDIR(mode) or below:
        record += [status.st_size if stat.S_ISREG(mode) else 0, *sorted(attributes(place).items())]
        whole.update(repr(record).encode(errors="surrogateescape"))
    if stat.S_ISREG(mode):
        with open(place, "rb", buffering=0) as file:
            while data := file.read(CHUNK):
                whole.update(data)
    elif stat.S_ISDIR(mode):
        for entry in sorted(os.listdir(place)):
            _hash(whole, f"{place}/{entry}", name, posixpath.join(below, entry), target)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
