"""Decompression of zstd (RFC 8878)."""

from __future__ import annotations

import zstandard

from davit.drivers.tar.compression import TooWide
from davit.drivers.tar.stream import Source
from davit.errors import InvalidParameter

_INPUT = 1 << 17


class Zstd:
    """Zstandard frames. A cut-off frame just ends; what reads the contents has to notice."""

    def __init__(self, source: Source, window: int) -> None:
        self._window = window
        self._reader = zstandard.ZstdDecompressor(max_window_size=window).stream_reader(
            source,  # type: ignore[arg-type]
            read_size=_INPUT,
            read_across_frames=True,
        )

    def read(self, size: int) -> bytes:
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            # ZSTD_error_frameParameter_windowTooLarge; any frame may say so.
            if "too much memory" in str(error):
                raise TooWide("zstd", self._window) from None
            raise InvalidParameter(f"the zstd data is damaged: {error}") from None
