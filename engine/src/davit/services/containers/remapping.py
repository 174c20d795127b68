"""Containers in a user namespace of the daemon's: their root is nobody on the host.

Layers and volumes keep, on disk, the IDs that are seen inside; mounts of them are idmapped. So the
same container may run with or without, and archives, commits and volumes need no translation.
Source: docs.kernel.org/filesystems/idmappings.html.
"""

from __future__ import annotations

import asyncio
import pwd
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from davit.config import Settings
from davit.errors import InvalidParameter, NotSupported
from davit.model.build import MARK
from davit.model.config import HostConfig
from davit.model.container import Container
from davit.model.idmap import IdMap, Remap
from davit.model.volume import MountPoint
from davit.services.containers import subpath
from davit.services.containers.context import Context
from davit.store.paths import Paths
from davit.sys import userns

_DEFAULT_USER = "davit"
# overlayfs on idmapped layers came with it.
_KERNEL = (5, 19)
_SUBUID, _SUBGID = Path("/etc/subuid"), Path("/etc/subgid")


def open_namespace(settings: Settings, paths: Paths, kernel: tuple[int, int]) -> Remap | None:
    """Make the namespace that the settings ask for ready. Blocking. kernel: its version.

    Raises InvalidParameter for a user without subordinate IDs, NotSupported on an old kernel.
    """
    userns.sweep(paths.idmapped)
    if not settings.userns_remap:
        return None
    if kernel < _KERNEL:
        raise NotSupported(
            f"userns-remap needs Linux {_KERNEL[0]}.{_KERNEL[1]} for idmapped layers: use a newer "
            "kernel, or do without it"
        )
    user, _, group = settings.userns_remap.partition(":")
    if user == "default":
        user = _DEFAULT_USER
    name, number = _account(user)
    ids = IdMap(
        uids=userns.subordinate(name, number, _SUBUID),
        gids=userns.subordinate(group or name, number, _SUBGID),
    )
    for root in (paths.data, paths.run):
        _check_way(root)
    paths.idmapped.mkdir(parents=True, exist_ok=True, mode=0o711)
    userns.pin(paths.userns, ids)
    return Remap(str(paths.userns), ids)


def of(ctx: Context, container: Container) -> Remap | None:
    """The namespace that a container runs in, None for the host's."""
    return None if container.host_config.userns_mode == "host" else ctx.remap


def check(asked: HostConfig, remap: Remap | None) -> None:
    """Raise InvalidParameter for what cannot be had from inside a user namespace."""
    if remap is None or asked.userns_mode == "host":
        return
    for wrong, what in (
        (asked.privileged, "privileged mode is incompatible with user namespaces"),
        (asked.network_mode == "host", "cannot share the host's network namespace"),
        (asked.pid_mode == "host", "cannot share the host PID namespace"),
        (asked.ipc_mode == "host", "cannot share the host's IPC namespace"),
    ):
        if wrong:
            raise InvalidParameter(
                f"{what} when user namespaces are enabled: give the container --userns=host too"
            )


@asynccontextmanager
async def sources(ctx: Context, container: Container) -> AsyncIterator[Mapping[str, str]]:
    """Yield destination → what to bind there instead of the source, while the runtime creates."""
    remap = of(ctx, container)
    own = [point for point in container.mounts if _has_inside_ids(ctx, container, point)]
    points = [point for point in own if remap or point.subpath]
    # Those of images are mapped as they are mounted.
    parts = [point for point in container.mounts if point.type == "image" and point.subpath]
    if not points and not parts:
        yield {}
        return
    lent = ExitStack()

    def lend(points: Sequence[MountPoint], namespace: Path | None) -> dict[str, str]:
        # A part of a volume is bound from its descriptor: by name it could be another meanwhile.
        places = [lent.enter_context(subpath.opened(point)) for point in points]
        paths = lent.enter_context(userns.idmapped(places, namespace, ctx.paths.idmapped))
        return {point.destination: str(path) for point, path in zip(points, paths, strict=True)}

    try:
        found = await asyncio.to_thread(lend, points, Path(remap.userns) if remap else None)
        found.update(await asyncio.to_thread(lend, parts, None))
        yield found
    finally:
        await asyncio.to_thread(lent.close)


def _has_inside_ids(ctx: Context, container: Container, point: MountPoint) -> bool:
    """Whether files there have, on disk, the IDs that are seen inside, and no mount maps them yet.

    In builds those are the context and the caches of commands, too.
    """
    if point.type == "volume":
        return True
    build = point.type == "bind" and MARK in container.host_config.annotations
    places = (ctx.paths.containers, ctx.paths.build_caches)
    return build and any(Path(point.source).is_relative_to(place) for place in places)


def _check_way(root: Path) -> None:
    """A container's root is anybody on the host, and has to reach its files."""
    for place in (root, *root.parents):
        if place.exists() and not place.stat().st_mode & stat.S_IXOTH:
            raise InvalidParameter(
                f"userns-remap: others may not pass {place}, so containers would not reach their "
                f"files below {root}: chmod o+x {place}"
            )


def _account(user: str) -> tuple[str, int]:
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        # Subordinate IDs may be given to a name that has no account here (LDAP).
        return user, int(user) if user.isdecimal() else -1
    return entry.pw_name, entry.pw_uid
