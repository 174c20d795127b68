"""Events: what happened to which object, as ``GET /events`` tells it."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. type: container, image, volume, network, daemon; time: ns since the epoch."""

    type: str
    action: str
    actor_id: str
    attributes: dict[str, str]
    time: int
