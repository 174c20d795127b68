"""How far a build is, as BuildKit's clients draw it: a graph of vertices, and what each says.

Times are nanoseconds since the epoch, 0 for none.
"""

from __future__ import annotations

import msgspec


class Vertex(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work; later ones of the same digest replace it."""

    digest: str
    name: str
    started: int = 0
    completed: int = 0
    cached: bool = False
    error: str = ""


class VertexStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Something with a bar within a vertex, by its digest. total: 0 when it is not known."""

    id: str
    vertex: str
    at: int
    current: int = 0
    total: int = 0
    started: int = 0
    completed: int = 0


class VertexLog(msgspec.Struct, frozen=True, kw_only=True):
    """Output of a vertex, by its digest. stream: 1 or 2."""

    vertex: str
    at: int
    stream: int
    data: bytes


Step = Vertex | VertexStatus | VertexLog
