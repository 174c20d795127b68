"""Docker's frame format: stdout and stderr in one connection.

Source: Engine API, "Stream format" of ``ContainerAttach``: one byte for the stream, three of zero,
the payload's length as a big-endian 32-bit number, the payload.
"""

from __future__ import annotations

import struct

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"

_HEADER = struct.Struct(">BxxxL")


def frame(stream: int, data: bytes) -> bytes:
    """Return one frame."""
    return _HEADER.pack(stream, len(data)) + data


def content_type(version: tuple[int, int], *, tty: bool) -> str:
    """Return the media type of a container's output; before 1.42 there was only one."""
    return RAW if tty or version < (1, 42) else MULTIPLEXED
