"""Docker's frame format: stdout and stderr in one connection.

Source: Engine API, "Stream format" of ``ContainerAttach``: one byte for the stream, three of zero,
the payload's length as a big-endian 32-bit number, the payload.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from itertools import chain

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"

_HEADER = struct.Struct(">BxxxL")


@functools.lru_cache(maxsize=1024)
def _header(stream: int, size: int) -> bytes:
    return _HEADER.pack(stream, size)


def frame(stream: int, data: bytes) -> bytes:
    """Return one frame."""
    return _header(stream, len(data)) + data


def frames(streams: Iterable[int], texts: list[bytes]) -> bytes:
    """Return a frame for each text: put together by the interpreter's own loops."""
    headers = map(_header, streams, map(len, texts))
    return b"".join(chain.from_iterable(zip(headers, texts, strict=True)))


def content_type(version: tuple[int, int], *, tty: bool) -> str:
    """Return the media type of a container's output; before 1.42 there was only one."""
    return RAW if tty or version < (1, 42) else MULTIPLEXED
