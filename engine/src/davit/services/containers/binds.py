"""Binds of the host's files: their sources, and how mounts pass between host and container.

Source: mount_namespaces(7). A bind that holds davitd's own mounts, or lies among them, is
``rslave`` where nothing else is asked for: else a container would keep what the host has unmounted
long since.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from davit.errors import InvalidParameter, SystemFailure
from davit.model.volume import MountPoint
from davit.services.containers.mounts import MountWish
from davit.sys.mountinfo import Mounted

_SHARED = ("shared", "rshared")
_SLAVE = ("slave", "rslave")


def own(wish: MountWish, roots: Sequence[Path]) -> MountWish:
    """Return a wish with the propagation that davitd's own mounts need. Pure.

    roots: the directories below which davitd mounts. Raises InvalidParameter for another one.
    """
    point = wish.point
    if point.type != "bind":
        return wish
    root = next((root for root in map(str, roots) if _nested(root, point.source)), None)
    if root is None:
        return wish
    asked = point.bind_options.propagation
    if asked not in ("", "rslave", "rshared"):
        raise InvalidParameter(
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when '
            f'mount source is within the daemon root, daemon root: "{root}", bind mount source: '
            f'"{point.source}", propagation: "{asked}"'
        )
    shown = msgspec.structs.replace(point, propagation=asked or "rslave")
    return replace(wish, point=shown)


def check_source(point: MountPoint) -> None:
    """Make a bind's missing directory if that was asked for, else raise InvalidParameter. Blocking.

    Any other mount is fine.
    """
    if point.type != "bind" or os.path.lexists(point.source):
        return
    if not point.bind_options.create_mountpoint:
        raise InvalidParameter(
            'invalid mount config for type "bind": bind source path does not exist: ' + point.source
        )
    try:
        os.makedirs(point.source, exist_ok=True)
    except OSError as error:
        raise SystemFailure(
            f"cannot make the bind source {point.source}: {error.strerror}"
        ) from None


def settle(points: Sequence[MountPoint], holding: Callable[[str], Mounted]) -> list[MountPoint]:
    """Return the mounts as they can be. holding: the mount that a path lies on.

    Raises SystemFailure for what was asked for and cannot be: only mounts that the host shares
    pass on what is mounted below them.
    """
    return [_settle(point, holding) for point in points]


def _settle(point: MountPoint, holding: Callable[[str], Mounted]) -> MountPoint:
    if point.type != "bind" or point.propagation not in _SHARED + _SLAVE:
        return point
    mounted = holding(point.source)
    if mounted.shared or (mounted.slave and point.propagation in _SLAVE):
        return point
    if not point.bind_options.propagation:
        return msgspec.structs.replace(point, propagation="rprivate")
    needed = "shared" if point.propagation in _SHARED else "shared or slave"
    raise SystemFailure(
        f"path {point.source} is mounted on {mounted.point} but it is not a {needed} mount: run "
        f"mount --make-rshared {mounted.point} first, or ask for another propagation"
    )


def _nested(one: str, other: str) -> bool:
    """Whether one of two paths is the other, or above it."""
    return os.path.commonpath((one, other)) in (one, os.path.normpath(other))
