"""Events: published by the services, replayed and followed by clients."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping

from davit.model import times
from davit.model.event import Event
from davit.model.filters import Filters

logger = logging.getLogger(__name__)

# As many as Docker keeps.
_KEPT = 256
# A client that is this many events behind is cut off rather than kept in memory.
_QUEUE = 1024
# Filters that name an object of their own type by its ID or name, or the beginning of it.
_OBJECTS = (
    "config",
    "container",
    "daemon",
    "network",
    "node",
    "plugin",
    "secret",
    "service",
    "volume",
)


class EventService:
    """Keeps the last events and hands new ones to subscribers. Publishing never waits."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._subscribers: set[asyncio.Queue[Event | None]] = set()

    def publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str], /
    ) -> None:
        """Record that ``action`` happened to an object of type ``kind`` just now."""
        event = Event(
            type=kind,
            action=action,
            actor_id=actor_id,
            attributes=dict(attributes),
            time=times.now(),
        )
        self._kept.append(event)
        for queue in list(self._subscribers):
            if queue.qsize() >= _QUEUE:
                logger.warning("an events client reads too slowly and is cut off")
                self._subscribers.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def count(self) -> int:
        """How many clients follow."""
        return len(self._subscribers)

    async def follow(
        self, filters: Filters, *, since: int | None = None, until: int | None = None
    ) -> AsyncGenerator[Event, None]:
        """Yield kept events from ``since`` on, then new ones up to ``until`` (both ns).

        Without ``since`` only new events; with an ``until`` that is past, only kept ones.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            # No await since the subscription: no event is lost or told twice.
            for event in list(self._kept) if since is not None or _is_past(until) else ():
                in_time = (since or 0) <= event.time and (until is None or event.time <= until)
                if in_time and matches(event, filters):
                    yield event
            while (fresh := await _next(queue, until)) is not None:
                if matches(fresh, filters):
                    yield fresh
        finally:
            self._subscribers.discard(queue)


def matches(event: Event, filters: Filters) -> bool:
    """Whether an event passes the filters of ``GET /events``."""
    return (
        filters.accepts("type", event.type)
        and filters.accepts("scope", "local")
        # "exec_create: sh -c true" and "health_status: healthy" answer to their first word, too.
        and filters.accepts_any("event", (event.action, event.action.partition(":")[0]))
        and filters.accepts_labels(event.attributes)
        and _matches_image(event, filters)
        and all(_matches_object(event, kind, filters) for kind in _OBJECTS)
    )


def _matches_object(event: Event, kind: str, filters: Filters) -> bool:
    if kind not in filters:
        return True
    known_as = (event.actor_id, event.attributes.get("name", ""))
    return event.type == kind and any(
        name.startswith(wanted) for wanted in filters.get(kind) for name in known_as
    )


def _matches_image(event: Event, filters: Filters) -> bool:
    if "image" not in filters:
        return True
    name = event.attributes.get("image" if event.type == "container" else "name", "")
    known_as = {event.actor_id, name, name.rpartition(":")[0] or name}
    return event.type in ("container", "image") and filters.accepts_any("image", known_as)


def _is_past(until: int | None) -> bool:
    return until is not None and until <= times.now()


async def _next(queue: asyncio.Queue[Event | None], until: int | None) -> Event | None:
    """Return the next event, None at ``until`` or when the subscriber was cut off."""
    if until is None:
        return await queue.get()
    left = (until - times.now()) / 1e9
    if left <= 0:
        return None
    try:
        event = await asyncio.wait_for(queue.get(), left)
    except asyncio.TimeoutError:
        return None
    return event if event is not None and event.time <= until else None
