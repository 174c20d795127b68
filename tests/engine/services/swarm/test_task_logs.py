"""What a subscription to services' logs gets of a task."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf import timestamp_pb2

from davit._pb import swarmkit_pb2 as pb
from davit.errors import InvalidParameter
from tests.engine.services.swarm.taskbed import Bed, a_task

_PRINT = ["sh", "-c", "echo one; echo two >&2; sleep 0.01; echo three"]


async def _read(bed: Bed, task: pb.Task, **options: object) -> list[pb.LogMessage]:
    wanted = pb.LogSubscriptionOptions(**options)  # type: ignore[arg-type]
    return [message async for message in bed.controller.logs(task, wanted)]


def _texts(messages: list[pb.LogMessage]) -> list[bytes]:
    return [message.data for message in messages]


async def test_what_was_printed(bed: Bed) -> None:
    task = a_task(command=_PRINT)
    assert await _read(bed, task) == []
    await bed.controller.prepare(task)
    assert await _read(bed, task) == []
    await bed.controller.start(task)
    await bed.controller.wait(task)
    messages = await _read(bed, task)
    by_stream = {
        stream: [one.data for one in messages if one.stream == stream]
        for stream in (pb.LOG_STREAM_STDOUT, pb.LOG_STREAM_STDERR)
    }
    assert by_stream[pb.LOG_STREAM_STDOUT] == [b"one\n", b"three\n"]
    assert by_stream[pb.LOG_STREAM_STDERR] == [b"two\n"]
    first = messages[0]
    assert first.context == pb.LogContext(service_id="svc1", node_id="node1", task_id="task1")
    assert first.timestamp.ToNanoseconds() > bed.container(task).created
    assert _texts(await _read(bed, task, tail=-2)) == [b"three\n"]
    assert _texts(await _read(bed, task, tail=-1)) == []
    assert _texts(await _read(bed, task, streams=[pb.LOG_STREAM_STDERR])) == [b"two\n"]
    late = timestamp_pb2.Timestamp()
    late.FromNanoseconds(messages[-1].timestamp.ToNanoseconds())
    assert _texts(await _read(bed, task, since=late)) == [b"three\n"]
    with pytest.raises(InvalidParameter, match="tail relative to start"):
        await _read(bed, task, tail=1)


async def test_to_follow_waits_for_the_container_and_ends_with_it(bed: Bed) -> None:
    task, never = a_task(command=_PRINT), a_task(2)
    reading = asyncio.ensure_future(_read(bed, task, follow=True))
    waiting = asyncio.ensure_future(_read(bed, never, follow=True))
    await asyncio.sleep(0)
    await bed.run(task)
    messages = await asyncio.wait_for(reading, 20)
    assert sorted(_texts(messages)) == [b"one\n", b"three\n", b"two\n"]
    await bed.controller.remove(never)
    assert await asyncio.wait_for(waiting, 20) == []
