"""What is told of a container's files."""

from __future__ import annotations

import enum

import msgspec


class PathStat(msgspec.Struct, frozen=True, kw_only=True):
    """A path. mode: as of stat(2); mtime: ns; link_target: where a link leads in the container."""

    name: str
    size: int
    mode: int
    mtime: int
    link_target: str = ""


class ChangeKind(enum.IntEnum):
    """Numbers of the Engine API."""

    MODIFIED = 0
    ADDED = 1
    DELETED = 2


class Change(msgspec.Struct, frozen=True, rename="pascal"):
    """A path that differs from the image."""

    path: str
    kind: ChangeKind
