"""Which IDs of the host stand for a container's. Source: user_namespaces(7)."""

from __future__ import annotations

import msgspec

from davit.errors import InvalidParameter

_NOBODY = 65534


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

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """A user and a group ID of the host as the container sees them; 65534 for strangers."""
        return _inside(uid, self.uids), _inside(gid, self.gids)

    def outside(self, uid: int, gid: int) -> tuple[int, int]:
        """A user and a group ID of the container on the host. Raises InvalidParameter."""
        return _outside(uid, self.uids), _outside(gid, self.gids)


def _inside(number: int, ranges: list[IdRange]) -> int:
    for entry in ranges:
        if 0 <= number - entry.outside < entry.size:
            return number - entry.outside + entry.inside
    return _NOBODY


def _outside(number: int, ranges: list[IdRange]) -> int:
    for entry in ranges:
        if 0 <= number - entry.inside < entry.size:
            return number - entry.inside + entry.outside
    raise InvalidParameter(
        f"ID {number} has no place in the container's user namespace: give it more subordinate IDs"
    )


class Remap(msgspec.Struct, frozen=True):
    """A user namespace for containers. userns: where it is pinned."""

    userns: str
    ids: IdMap
