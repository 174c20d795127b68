"""Decompression of gzip, zstd, xz and bzip2, told by their first bytes.

What comes out of one ``read`` is bounded, so that a small file which unpacks to gigabytes of zeros
does not fill the memory.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple, Protocol

from davit.drivers.tar.stream import CHUNK, Peeked, Source
from davit.errors import InvalidParameter

_INPUT = CHUNK
_WBITS = 31
"""zlib's ``wbits`` for gzip with the largest window."""
NARROW = 8 << 20
"""Bytes of window that each reader of zstd must have (RFC 8878, 3.1.1.1.2)."""
WIDEST = 128 << 20
"""What ``zstd --long`` and ``zstd -22`` need, and zstd takes unasked; ``xz -9`` needs 65 MiB.

A header may ask for terabytes.
"""
HEAD = 8
"""Bytes that tell the format."""


class TooWide(InvalidParameter):
    """The data was compressed with a larger window than is allowed."""

    def __init__(self, name: str, window: int) -> None:
        super().__init__(
            f"refused: the {name} data needs a window of more than {window >> 20} MiB: compress it "
            "again with a smaller one"
        )


class _Deflated(Protocol):
    """The shape of ``zlib.decompressobj()``."""

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...


class _Packer(Protocol):
    """The shape of ``zlib.compressobj()``."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Gzip(NamedTuple):
    """A library for gzip. packer: takes the level; fast, small: two levels. error: what it raises
    for damaged data.
    """

    decoder: Callable[[], _Deflated]
    packer: Callable[[int], _Packer]
    fast: int
    small: int
    error: type[Exception]


def gzip_packer(*, fast: bool = False) -> _Packer:
    """Packs one stream. The same data gives the same bytes, as there is no time in them.

    fast: in a seventh of the time, for what repeats itself so much that it hardly gets larger.
    """
    library = _gzip()
    return library.packer(library.fast if fast else library.small)


@cache
def _gzip() -> _Gzip:
    """ISA-L unpacks twice and packs four times as fast as zlib; it is loaded when it is needed.

    What it packs at its highest level is as large as with zlib's first: up to 7 % more than with
    the fifth.
    """
    try:
        from isal import igzip_lib, isal_zlib
    except ImportError:  # there is none for this machine's architecture
        return _Gzip(
            lambda: zlib.decompressobj(wbits=_WBITS),
            lambda level: zlib.compressobj(level, wbits=_WBITS),
            fast=1,
            small=5,
            error=zlib.error,
        )
    return _Gzip(
        lambda: isal_zlib.decompressobj(wbits=_WBITS),
        lambda level: isal_zlib.compressobj(level, wbits=_WBITS),
        fast=1,
        small=3,
        error=igzip_lib.IsalError,  # type: ignore[arg-type]  # its stub has an instance
    )


def is_compressed(head: bytes) -> bool:
    """Tell from the first :data:`HEAD` bytes."""
    return any(head.startswith(magic) for magic, _ in _FORMATS)


def decompressed(source: Source, window: int = WIDEST) -> Source:
    """Return the uncompressed stream, the same one when it is not compressed.

    window: bytes of memory that zstd and xz may take. Reading raises InvalidParameter when the data
    is damaged or ends too early, TooWide.
    """
    peeked = Peeked(source, HEAD)
    for magic, wrap in _FORMATS:
        if peeked.head.startswith(magic):
            return wrap(peeked, window)
    return peeked


class _Decoder(Protocol):
    """The shape of ``lzma.LZMADecompressor`` and ``bz2.BZ2Decompressor``."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


class _GzipDecoder:
    """zlib's or ISA-L's decoder in the same shape."""

    def __init__(self) -> None:
        self._decoder = _gzip().decoder()
        self._filled = False

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        # zlib may hold back output although it took all its input.
        self._filled = len(out) == max_length
        return out

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not (self._filled or self._decoder.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


class _Frames:
    """Frames (gzip's members, xz's and bzip2's streams), one behind the other."""

    def __init__(
        self, source: Source, name: str, make: Callable[[], _Decoder], window: int = 0
    ) -> None:
        self._source = source
        self._name = name
        self._window = window
        self._make = make
        self._decoder = make()

    def read(self, size: int) -> bytes:
        data = b""
        while True:
            if self._decoder.eof:
                # Padding of zeros is allowed between and behind frames.
                data = self._decoder.unused_data.lstrip(b"\0")
                while not data:
                    more = self._source.read(_INPUT)
                    if not more:
                        return b""
                    data = more.lstrip(b"\0")
                self._decoder = self._make()
            elif self._decoder.needs_input:
                data = self._source.read(_INPUT)
                if not data:
                    raise InvalidParameter(
                        f"the {self._name} data is truncated: it ends before its end mark"
                    )
            try:
                out = self._decoder.decompress(data, size)
            except (zlib.error, _gzip().error, lzma.LZMAError, OSError) as error:
                if "limit exceeded" in str(error):
                    raise TooWide(self._name, self._window) from None
                raise InvalidParameter(f"the {self._name} data is damaged: {error}") from None
            if out:
                return out
            data = b""


def _zstd(source: Source, window: int) -> Source:
    # Loaded with the first such stream: most layers are gzip.
    from davit.drivers.tar.zstd import Zstd

    return Zstd(source, window)


def _xz(source: Source, window: int) -> Source:
    return _Frames(source, "xz", partial(lzma.LZMADecompressor, memlimit=window), window)


_FORMATS: tuple[tuple[bytes, Callable[[Source, int], Source]], ...] = (
    (b"\x1f\x8b", lambda source, _: _Frames(source, "gzip", _GzipDecoder)),
    (b"\x28\xb5\x2f\xfd", _zstd),
    # Skippable frames, which some tools put first (RFC 8878, 3.1.2).
    *((bytes([0x50 + number]) + b"\x2a\x4d\x18", _zstd) for number in range(16)),
    (b"\xfd7zXZ\0", _xz),
    (b"BZh", lambda source, _: _Frames(source, "bzip2", bz2.BZ2Decompressor)),
)
