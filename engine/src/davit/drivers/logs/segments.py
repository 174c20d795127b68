"""The files of one log: the one that conmon writes, and earlier ones that are kept.

conmon writes ``container.log``. Asked to reopen it, or when its own limit is reached, it opens
``container.log.tmp`` and renames that over ``container.log`` (conmon, ``reopen_k8s_file``): the
earlier file would be gone. So each file has a second name with a number, ``container.log.N``, from
before conmon first writes to it: the next file is made in advance as ``container.log.N`` *and*
``container.log.tmp``. Nothing is renamed at a rotation, every moment of it is a valid state, and
conmon needs no space on the disk for it. Compressed files are called ``container.log.N.zst``.

All functions block.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from davit.model.logs import LogLimits

_COMPRESSED = ".zst"
_NUMBERED = re.compile(r"\.(\d+)(\.zst)?\Z")
_COPY = 1 << 20


@dataclass(frozen=True)
class Segment:
    """An earlier file. inode: tells it from the file that is written."""

    number: int
    path: Path
    inode: int
    size: int


def spare(log: Path) -> Path:
    """The name under which conmon looks for its next file."""
    return log.with_name(f"{log.name}.tmp")


def numbered(log: Path) -> list[Segment]:
    """Return all files with a number, in the order in which they were written."""
    found: dict[int, Segment] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(log.parent) as entries:
        for entry in entries:
            match = entry.name.startswith(log.name) and _NUMBERED.fullmatch(
                entry.name[len(log.name) :]
            )
            if not match:
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat()
                # Compressed, and not yet deleted, it is there twice.
                if not match[2] or int(match[1]) not in found:
                    found[int(match[1])] = Segment(
                        int(match[1]), Path(entry.path), status.st_ino, status.st_size
                    )
    return [found[number] for number in sorted(found)]


def number_of(log: Path, descriptor: int) -> int | None:
    """Return the number of an open file of the log, None when it has none."""
    inode = os.fstat(descriptor).st_ino
    return next((file.number for file in numbered(log) if file.inode == inode), None)


def open_part(log: Path, number: int) -> tuple[int, bool]:
    """Open an earlier file; return its descriptor, and whether it is compressed.

    Raises FileNotFoundError.
    """
    path = _name(log, number)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
    except FileNotFoundError:
        return os.open(_packed(path), os.O_RDONLY | os.O_CLOEXEC), True


def unpack(descriptor: int, directory: Path) -> int:
    """Return an unnamed copy, not compressed, of an open file; it is read from its beginning."""
    # Loaded with the first log that is compressed: there may be none.
    import zstandard

    plain = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        with (
            open(descriptor, "rb", closefd=False) as packed,
            open(plain, "wb", closefd=False) as file,
        ):
            zstandard.ZstdDecompressor().copy_stream(packed, file)
        os.lseek(plain, 0, os.SEEK_SET)
    except BaseException:
        os.close(plain)
        raise
    return plain


def prepare(log: Path, limits: LogLimits, *, stopped: bool = False) -> None:
    """Number the file that is written, and lay the next one ready; idempotent.

    stopped: conmon does not run, so that a file that is full makes room at once.
    """
    if stopped and _size(log) >= limits.max_size > 0:
        if not limits.rotates:
            log.unlink()
            return
        _lay_ready(log)
        spare(log).replace(log)
    if limits.rotates:
        log.touch(mode=0o600)
        _lay_ready(log)


def tidy(log: Path, limits: LogLimits) -> None:
    """Compress earlier files where that is wanted, and delete what is too much."""
    current = inode_of(log)
    number = next((file.number for file in numbered(log) if file.inode == current), None)
    if number is None:
        return  # not yet: which files are earlier ones is told by the number
    files = [file for file in numbered(log) if file.number < number]
    for name in log.parent.glob(f"{log.name}.*{_COMPRESSED}.new"):
        name.unlink()
    kept, room = list[Segment](), (limits.max_file - 1) * limits.max_size
    for file in reversed(files):
        if len(kept) < limits.max_file - 1 and room > 0 and file.size:
            kept.append(file)
            # Compressed, nobody knows how long it was: about as long as was allowed.
            room -= file.size if file.path.suffix != _COMPRESSED else limits.max_size
    # The oldest first: whenever this ends, and whoever reads meanwhile, no line between two is
    # missing (see trail.py).
    for file in files:
        if file not in kept:
            file.path.unlink(missing_ok=True)
            # A crash may have left it there twice.
            _packed(_name(log, file.number)).unlink(missing_ok=True)
    if limits.compress:
        for file in kept:
            if file.path.suffix != _COMPRESSED:
                _compress(file.path)


def _name(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def _packed(path: Path) -> Path:
    return path.with_name(path.name + _COMPRESSED)


def is_full(log: Path, limits: LogLimits) -> bool:
    return _size(log) >= limits.max_size


def _lay_ready(log: Path) -> None:
    current, reserved = inode_of(log), inode_of(spare(log))
    files = numbered(log)
    inodes = {file.inode for file in files}
    number = files[-1].number if files else 0
    if current is not None and current not in inodes:
        number += 1
        # Linked by what is there now: conmon may be faster, and then this is its next file.
        with contextlib.suppress(FileNotFoundError):
            os.link(log, _name(log, number))
    if reserved is not None:
        if reserved in inodes:
            return
        spare(log).unlink(missing_ok=True)
    name = _name(log, number + 1)
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        os.link(name, spare(log))
    except BaseException:
        os.unlink(name)
        raise


def _compress(path: Path) -> None:
    import zstandard  # as above

    new = _packed(path).with_suffix(f"{_COMPRESSED}.new")
    try:
        with path.open("rb") as plain, new.open("wb") as packed:
            compressor = zstandard.ZstdCompressor(level=1)
            with compressor.stream_writer(packed, closefd=False) as writer:
                shutil.copyfileobj(plain, writer, _COPY)
        new.replace(_packed(path))
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    path.unlink()


def inode_of(path: Path) -> int | None:
    """Return what tells a file from others, None when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
