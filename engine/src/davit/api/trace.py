"""How far a build is, in the messages of BuildKit's clients.

Rarely used: whoever needs it imports it late, for protobuf is not small.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from davit._pb import buildkit_pb2 as pb
from davit.model.solve import Step, Vertex, VertexLog, VertexStatus


def line(step: Step) -> dict[str, str]:
    """A line of the answer to ``POST /build``."""
    return {
        "id": "moby.buildkit.trace",
        "aux": base64.b64encode(response([step]).SerializeToString()).decode(),
    }


def response(steps: Iterable[Step]) -> pb.StatusResponse:
    """Messages about several steps in one."""
    found = pb.StatusResponse()
    for step in steps:
        if isinstance(step, Vertex):
            found.vertexes.append(_vertex(step))
        elif isinstance(step, VertexStatus):
            found.statuses.append(_status(step))
        else:
            found.logs.append(_log(step))
    return found


def _vertex(step: Vertex) -> pb.Vertex:
    return pb.Vertex(
        digest=step.digest,
        name=step.name,
        cached=step.cached,
        started=_time(step.started),
        completed=_time(step.completed),
        error=step.error,
    )


def _status(step: VertexStatus) -> pb.VertexStatus:
    return pb.VertexStatus(
        id=step.id,
        vertex=step.vertex,
        current=step.current,
        total=step.total,
        timestamp=_time(step.at),
        started=_time(step.started),
        completed=_time(step.completed),
    )


def _log(step: VertexLog) -> pb.VertexLog:
    return pb.VertexLog(
        vertex=step.vertex, timestamp=_time(step.at), stream=step.stream, msg=step.data
    )


def _time(nanoseconds: int) -> Timestamp | None:
    if not nanoseconds:
        return None
    seconds, nanos = divmod(nanoseconds, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
