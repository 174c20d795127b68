"""Pure: between a subscription to services' logs and a container's log."""

from __future__ import annotations

from collections.abc import Iterator

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter
from davit.model import times
from davit.model.logs import LogBlock, LogSelection
from davit.model.runtime import STDERR, STDOUT

_STREAMS = {pb.LOG_STREAM_STDOUT: STDOUT, pb.LOG_STREAM_STDERR: STDERR}
_NUMBERS = {number: stream for stream, number in _STREAMS.items()}


def selection(options: pb.LogSubscriptionOptions) -> LogSelection:
    """Read a subscription. Its tail is 0 for all, and -n-1 for the last n lines.

    Raises InvalidParameter for a positive one, which would count from the beginning.
    """
    if options.tail > 0:
        raise InvalidParameter("tail relative to start of logs not supported")
    streams = frozenset(_STREAMS[one] for one in options.streams if one in _STREAMS)
    return LogSelection(
        streams=streams or frozenset(_NUMBERS),
        since=options.since.ToNanoseconds() if options.HasField("since") else None,
        tail=-options.tail - 1 if options.tail else None,
        follow=options.follow,
    )


def messages(context: pb.LogContext, block: LogBlock) -> Iterator[pb.LogMessage]:
    """Yield a block's lines as the broker takes them, each with its newline."""
    for stream, stamp, text in zip(*block, strict=True):
        message = pb.LogMessage(context=context, stream=_NUMBERS[stream], data=text)
        message.timestamp.FromNanoseconds(times.parse_stamp(stamp))
        yield message
