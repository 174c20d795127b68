"""A container's files as the container sees them, whether it runs or not."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from davit.drivers.tar.root import Root
from davit.errors import SystemFailure
from davit.model.container import Container
from davit.model.idmap import IdMap
from davit.model.volume import MountPoint
from davit.services.containers import image_mounts, remapping, rootfs, subpath
from davit.services.containers.context import Context
from davit.sys import inside, mount
from davit.sys.tasks import in_thread, uncut


@dataclass(frozen=True)
class View:
    """root: the tree's path on the host; it stays that tree while the view is open.

    ids: what IDs on the host are in the container, None when they are the same.
    """

    root: str
    ids: IdMap | None = None

    def in_container(self, uid: int, gid: int) -> tuple[int, int]:
        """IDs as seen inside; what has no ID there is nobody's (65534)."""
        return (self.ids.inside(uid, gid)) if self.ids else (uid, gid)

    def on_host(self, uid: int, gid: int) -> tuple[int, int]:
        """IDs as this tree wants them. Raises InvalidParameter for those with none on the host."""
        return (self.ids.outside(uid, gid)) if self.ids else (uid, gid)


@asynccontextmanager
async def opened(ctx: Context, reference: str, *, mounts: bool = True) -> AsyncIterator[View]:
    """Open a container's tree; mounts: with its volumes and the other mounts.

    A container that does not run is kept from starting meanwhile. Raises NotFound.
    """
    container_id = ctx.store.get(reference).id
    async with AsyncExitStack() as stack:
        lock = ctx.locks(container_id)
        await stack.enter_async_context(lock)
        container = ctx.store.get(container_id)
        previous = ctx.runs.get(container_id)
        if container.state.status.is_running:
            await stack.aclose()
            async with _live(ctx, container, mounts=mounts) as view:
                yield view
            return
        if previous is not None:
            await previous.cleaned.wait()
        async with _still(ctx, container, mounts=mounts) as view:
            yield view


@asynccontextmanager
async def _live(ctx: Context, container: Container, *, mounts: bool) -> AsyncIterator[View]:
    """The tree of a running container: with mounts, that of its own mount namespace."""
    remap = remapping.of(ctx, container)
    path = f"/proc/{container.state.pid}/root" if mounts else str(ctx.paths.rootfs(container.id))
    with ExitStack() as stack:
        try:
            root = await in_thread(_open, stack, path)
            if mounts:
                await in_thread(_check_inside, container)
        except OSError as error:
            raise SystemFailure(
                f"container {container.name} has ended meanwhile ({error.strerror}): try again"
            ) from None
        yield View(f"/proc/self/fd/{root}/.", remap.ids if remap else None)


def _open(stack: ExitStack, path: str) -> int:
    root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    return root


def _check_inside(container: Container) -> None:
    """Raise OSError unless the process is the container's still, and none of the host's.

    Its number may have been given anew since the container ended; no process leaves its cgroup.
    """
    groups = Path(f"/proc/{container.state.pid}/cgroup").read_text()
    if container.id not in groups:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


@asynccontextmanager
async def _still(ctx: Context, container: Container, *, mounts: bool) -> AsyncIterator[View]:
    """The tree of a container that does not run, put together as a start would."""
    undo = AsyncExitStack()
    try:
        await uncut(_assemble(ctx, container, undo, mounts=mounts))
        yield View(str(ctx.paths.rootfs(container.id)))
    finally:
        await uncut(undo.aclose())


async def _assemble(
    ctx: Context, container: Container, undo: AsyncExitStack, *, mounts: bool
) -> None:
    paths = ctx.paths
    root = paths.rootfs(container.id)
    undo.push_async_callback(asyncio.to_thread, _remove_empty, paths.bundle(container.id))
    undo.push_async_callback(ctx.rootfs.unmount, root)
    await rootfs.mount(ctx, container)
    if mounts:
        await image_mounts.mount(ctx, container, undo)
    for point in container.mounts if mounts else ():
        if point.type == "volume":
            undo.push_async_callback(ctx.volumes.unmount, point.name, container.id)
            await ctx.volumes.mount(point.name, container.id)
        if point.type in ("volume", "bind", "image"):
            await asyncio.to_thread(_bind, root, point)
    if container.host_config.readonly_rootfs:
        # Also for who comes there by a link in a volume.
        flags = mount.MS_BIND | mount.MS_REMOUNT | mount.MS_RDONLY
        await asyncio.to_thread(mount.mount, "", root, "", flags=flags)


def _bind(root: Path, point: MountPoint) -> None:
    with subpath.opened(point) as source:
        _bind_source(root, point, str(source))


def _bind_source(root: Path, point: MountPoint, source: str) -> None:
    """Bind a mount's source at its place in the tree; links of the image do not lead out."""
    parts = [part for part in point.destination.split("/") if part]
    with Root(root) as tree:
        parent = tree.directory(parts[:-1], create=True)
        if stat.S_ISDIR(os.stat(source).st_mode):
            tree.directory(parts, create=True)
        else:
            _touch(parent, parts[-1])
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deep = 0 if point.bind_options.non_recursive else mount.MS_REC
        _mount_at(descriptor, point, source, mount.MS_BIND | deep)
        if not point.rw:
            _mount_at(descriptor, point, "", mount.MS_BIND | mount.MS_REMOUNT | mount.MS_RDONLY)
    except OSError as error:
        raise SystemFailure(
            f"cannot mount {point.source} at {point.destination}: {error.strerror}"
        ) from None
    finally:
        os.close(descriptor)


def _mount_at(root: int, point: MountPoint, source: str, flags: int) -> None:
    place = inside.open_inside(root, point.destination, os.O_PATH)
    try:
        mount.mount(source, Path(f"/proc/self/fd/{place}"), "", flags=flags)
    finally:
        os.close(place)


def _touch(parent: int, name: str) -> None:
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent))
    except FileExistsError:
        return


def _remove_empty(bundle: Path) -> None:
    """Remove the directory of a view; never what may still be mounted in it."""
    images = bundle / "images"
    for directory in (bundle / "rootfs", *images.glob("*"), images, bundle):
        if directory.exists():
            directory.rmdir()
