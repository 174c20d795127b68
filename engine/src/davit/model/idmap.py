"""Which IDs of the host stand for a container's. Source: user_namespaces(7)."""

from __future__ import annotations

import msgspec


class IdRange(msgspec.Struct, frozen=True):
    """``size`` IDs from ``inside`` on, which are ``outside`` and following on the host."""

    inside: int
    outside: int
    size: int


class IdMap(msgspec.Struct, frozen=True):
    """The maps of a user namespace. Each begins with the container's root."""

    uids: list[IdRange]
    gids: list[IdRange]

    @property
    def root(self) -> tuple[int, int]:
        """The container's root on the host: user ID, group ID."""
        return self.uids[0].outside, self.gids[0].outside


class Remap(msgspec.Struct, frozen=True):
    """A user namespace for containers. userns: where it is pinned."""

    userns: str
    ids: IdMap
