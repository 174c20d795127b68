"""A tar without the contents of its files, which lie unpacked beside it: enough to make it again.

So a layer need not be kept twice. What is written are lines of JSON, gzipped, in the order of the
tar: ``{"raw": "<base64>", "files": [[offset, "<base64>", size], …]}``: bytes that stand between
contents (headers, padding, what follows the end mark), and at which offsets of these the contents
of which files come.
As Docker's layer store does it; source: tar-split, https://github.com/vbatts/tar-split.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from davit.drivers.tar.compression import decompressed, gzip_packer
from davit.drivers.tar.root import Root, split
from davit.drivers.tar.stream import CHUNK, Source
from davit.errors import InvalidParameter, SystemFailure

_SMALLEST = 512
"""Bytes of contents from which on a file is worth a line of its own."""
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Sink(Protocol):
    """Something to write to."""

    def write(self, data: bytes, /) -> object: ...


class _Part(msgspec.Struct, frozen=True):
    """files: offset in ``raw``, path, size; by offset."""

    raw: bytes
    files: list[tuple[int, bytes, int]]


class _Contents(NamedTuple):
    """Where in the tar the contents of a file stand."""

    start: int
    end: int
    path: bytes


class Splitter:
    """A source that writes down what is read through it, but for contents that it is told of.

    Of what it has given out last it knows when it is asked for more: by then the reader has come to
    the end of it.
    """

    def __init__(self, source: Source, path: Path, tree: Path, whole: Callable[[], Sink]) -> None:
        """path: the file to write. tree: where the files are unpacked.

        whole: called when the tar cannot be made again from its files, as one takes the place of
        another; from then on all goes to what it returns, beginning with what was read before.
        """
        self._source = source
        self._path = path
        self._tree = tree
        self._whole = whole
        self._file = path.open("wb")
        self._packer = gzip_packer(fast=True)
        self._sink: Sink | None = None
        self._contents: deque[_Contents] = deque()
        self._raw = bytearray()
        self._files: list[tuple[int, bytes, int]] = []
        self._last = b""
        self._end = 0

    def read(self, size: int) -> bytes:
        self._sort()
        self._last = self._source.read(size)
        self._end += len(self._last)
        return self._last

    def contents(self, name: str, size: int, pending: int) -> None:
        """Tell that the contents of a file come now. pending: bytes read here and not used yet."""
        if self._sink is None and size >= _SMALLEST:
            start = self._end - pending
            self._contents.append(_Contents(start, start + size, os.fsencode(name)))

    def give_up(self) -> None:
        """Tell that a file is about to go. All contents that came before are still there."""
        if self._sink is not None:
            return
        self.close()
        self._sink = self._whole()
        with self._path.open("rb") as file:
            for piece in joined(file, self._tree):
                self._sink.write(piece)
        self._path.unlink()

    def close(self) -> None:
        """Write what is left. Idempotent; afterwards nothing is to be read any more."""
        if not self._file.closed:
            self._sort()
            self._last = b""
            self._put()
            self._file.write(self._packer.flush())
            self._file.close()

    def _sort(self) -> None:
        if self._sink is not None:
            self._sink.write(self._last)
            return
        begin = at = self._end - len(self._last)
        while self._contents and self._contents[0].start < self._end:
            start, end, path = self._contents[0]
            if start >= begin:
                self._raw += self._last[at - begin : start - begin]
                self._files.append((len(self._raw), path, end - start))
            at = end
            if end > self._end:
                break  # more of it comes
            self._contents.popleft()
        self._raw += self._last[at - begin :]
        if len(self._raw) >= CHUNK:
            self._put()

    def _put(self) -> None:
        line = msgspec.json.encode(_Part(bytes(self._raw), self._files))
        self._file.write(self._packer.compress(line + b"\n"))
        self._raw.clear()
        self._files.clear()


def joined(source: Source, tree: Path) -> Generator[bytes, None, None]:
    """Yield the tar again, in pieces. source: what a Splitter has written; tree: the files.

    Raises SystemFailure when that is damaged, or a file is not as it was; not whether its bytes are
    the same.
    """
    gathered = bytearray()
    with Root(tree) as root:
        for piece in _pieces(source, root):
            gathered += piece
            if len(gathered) >= CHUNK:
                yield bytes(gathered)
                gathered.clear()
    yield bytes(gathered)


def _pieces(source: Source, root: Root) -> Iterator[bytes]:
    for part in _parts(source):
        at = 0
        for offset, path, size in part.files:
            yield part.raw[at:offset]
            yield from _read(root, os.fsdecode(path), size)
            at = offset
        yield part.raw[at:]


def _parts(source: Source) -> Iterator[_Part]:
    rest = b""
    try:
        unpacked = decompressed(source)
        while data := unpacked.read(CHUNK):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line, type=_Part)
    except (InvalidParameter, msgspec.MsgspecError) as error:
        raise SystemFailure(f"what is kept of a layer's tar is damaged: {error}") from None


def _read(root: Root, path: str, left: int) -> Iterator[bytes]:
    *parents, name = split(path)
    try:
        descriptor = os.open(name, _FILE, dir_fd=root.directory(parents))
    except (OSError, InvalidParameter) as error:
        raise SystemFailure(f"the unpacked file {path!r} is gone: {error}") from None
    with open(descriptor, "rb", buffering=0) as file:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode) or there.st_size != left:
            raise SystemFailure(
                f"the unpacked file {path!r} is not as it was: {there.st_size} bytes, not {left}"
            )
        while left and (data := file.read(min(CHUNK, left))):
            left -= len(data)
            yield data
