from __future__ import annotations

import asyncio

import pytest

from davit.model import times
from davit.model.event import Event
from davit.model.filters import Filters
from davit.services.events import EventService, matches

RUN = Event(
    type="container",
    action="exec_create: sh -c true",
    actor_id="0123456789abcdef",
    attributes={"name": "web", "image": "nginx:1", "team": "blue"},
    time=1,
)
PULL = Event(
    type="image", action="tag", actor_id="sha256:aa", attributes={"name": "nginx:1"}, time=1
)


@pytest.mark.parametrize(
    ("event", "filters", "expected"),
    [
        (RUN, {}, True),
        (RUN, {"type": ["container"]}, True),
        (RUN, {"type": ["image"]}, False),
        (RUN, {"container": ["web"]}, True),
        (RUN, {"container": ["0123456789ab"]}, True),
        (RUN, {"container": ["db"]}, False),
        (RUN, {"event": ["exec_create"]}, True),
        (RUN, {"event": ["exec_start", "exec_create: sh -c true"]}, True),
        (RUN, {"event": ["start"]}, False),
        (RUN, {"label": ["team"]}, True),
        (RUN, {"label": ["team=blue", "tier"]}, False),
        (RUN, {"image": ["nginx"]}, True),
        (RUN, {"image": ["nginx:1"]}, True),
        (RUN, {"image": ["redis"]}, False),
        (RUN, {"scope": ["swarm"]}, False),
        (RUN, {"volume": ["web"]}, False),
        (PULL, {"image": ["nginx"]}, True),
        (PULL, {"image": ["sha256:aa"]}, True),
        (PULL, {"container": ["nginx"]}, False),
    ],
)
def test_filters(event: Event, filters: dict[str, list[str]], expected: bool) -> None:
    assert matches(event, Filters(filters)) is expected


async def collect(events: EventService, count: int, **times_: int) -> list[str]:
    found = []
    async for event in events.follow(Filters(), **times_):
        found.append(event.actor_id)
        if len(found) == count:
            break
    return found


async def test_new_events_reach_every_follower() -> None:
    events = EventService()
    followers = [asyncio.create_task(collect(events, 2)) for _ in range(3)]
    await asyncio.sleep(0)
    assert events.count() == 3
    for name in ("a", "b"):
        events.publish("container", "start", name, {})
    assert await asyncio.gather(*followers) == [["a", "b"]] * 3
    assert events.count() == 0


async def test_since_replays_then_follows() -> None:
    events = EventService()
    events.publish("container", "start", "before", {})
    moment = times.now()
    events.publish("container", "start", "kept", {})
    follower = asyncio.create_task(collect(events, 2, since=moment))
    await asyncio.sleep(0)
    assert events.count() == 1
    events.publish("container", "start", "new", {})
    assert await follower == ["kept", "new"]


async def test_a_past_until_ends_the_stream() -> None:
    events = EventService()
    events.publish("container", "start", "a", {})
    moment = times.now()
    assert await collect(events, 9, since=0, until=moment) == ["a"]


async def test_a_future_until_ends_the_stream() -> None:
    events = EventService()
    assert await collect(events, 9, until=times.now() + 20_000_000) == []


async def test_only_the_last_256_are_kept() -> None:
    events = EventService()
    for number in range(300):
        events.publish("container", "start", str(number), {})
    found = await collect(events, 999, since=0, until=times.now())
    assert found == [str(number) for number in range(44, 300)]


async def test_a_follower_that_does_not_read_is_cut_off() -> None:
    events = EventService()
    stream = events.follow(Filters())
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert events.count() == 1
    for number in range(3000):
        events.publish("container", "start", str(number), {})
    assert (await first).actor_id == "0"
    rest = [event.actor_id async for event in stream]
    assert rest == [str(number) for number in range(1, 1024)]
    assert events.count() == 0
