"""Files into and out of a container as tar archives: ``docker cp``, ``docker export``."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

from davit.drivers.tar.compression import HEAD, decompressed, is_compressed
from davit.drivers.tar.extract import extract
from davit.drivers.tar.pack import Packer
from davit.drivers.tar.stream import Peeked, Source, drawn, feed
from davit.errors import Forbidden, InvalidParameter, NotFound
from davit.model.container import Container
from davit.model.files import PathStat
from davit.services.containers import remapping, view
from davit.services.containers.context import Context
from davit.services.containers.view import View
from davit.sys import inside, userns, users


async def status(ctx: Context, reference: str, path: str) -> PathStat:
    """Tell of a path. A link at its end is told of itself. Raises NotFound."""
    container = ctx.store.get(reference)
    async with view.opened(ctx, reference) as tree:
        return await asyncio.to_thread(_status, container, tree, path)


@asynccontextmanager
async def get(
    ctx: Context, reference: str, path: str
) -> AsyncIterator[tuple[PathStat, AsyncIterator[bytes]]]:
    """Open a path as an archive, whose members are below the path's last part. Raises NotFound."""
    container = ctx.store.get(reference)
    async with view.opened(ctx, reference) as tree:
        found = await asyncio.to_thread(_status, container, tree, path)
        packer = Packer(owner=tree.in_container)
        with ExitStack() as stack:
            pieces = await asyncio.to_thread(_pack, stack, tree, path, found, packer)
            ctx.announce(container, "archive-path")
            yield found, drawn(pieces)


async def put(
    ctx: Context,
    reference: str,
    path: str,
    chunks: AsyncIterator[bytes],
    *,
    replace: bool = True,
    own: bool = False,
) -> None:
    """Extract an archive, compressed or not, into a directory.

    replace: files may take the place of directories and the other way round. own: everything
    becomes the user's whom the container's configuration names. Raises NotFound,
    InvalidParameter, Forbidden (read-only).
    """
    container = ctx.store.get(reference)
    async with view.opened(ctx, reference) as tree:
        below = await asyncio.to_thread(_extraction_point, container, tree, path)
        _check_writable(container, below)

        def owner(uid: int, gid: int) -> tuple[int, int]:
            return tree.on_host(*(user if user is not None else (uid, gid)))

        given = own and container.config.user
        user = await asyncio.to_thread(_user, container, tree) if given else None
        parts = [part for part in below.split("/") if part]

        def work(source: Source) -> None:
            with ExitStack() as stack:
                remap = remapping.of(ctx, container)
                if tree.ids is not None and remap is not None:
                    stack.enter_context(userns.filesystem_ids(*remap.ids.root))
                extract(_plain(source), tree.root, parts, replace=replace, owner=owner)

        await feed(chunks, work)
    ctx.announce(container, "extract-to-dir")


async def export(ctx: Context, reference: str) -> AsyncIterator[bytes]:
    """Yield the container's root file system as an archive, without what is mounted in it."""
    container = ctx.store.get(reference)
    async with AsyncExitStack() as stack:
        tree = await stack.enter_async_context(view.opened(ctx, reference, mounts=False))
        root = await asyncio.to_thread(os.open, tree.root, os.O_PATH | os.O_DIRECTORY)
        stack.callback(os.close, root)
        ctx.announce(container, "export")
        async for piece in drawn(Packer(owner=tree.in_container).pack(root, ".", "")):
            yield piece


def _status(container: Container, tree: View, path: str) -> PathStat:
    with ExitStack() as stack:
        _, descriptor = _open(stack, container, tree, path)
        found = os.fstat(descriptor)
        target = ""
        if stat.S_ISLNK(found.st_mode):
            target = _link_target(stack, tree, path)
        return PathStat(
            name=posixpath.basename(_absolute(path).rstrip("/")) or "/",
            size=found.st_size,
            mode=found.st_mode,
            mtime=found.st_mtime_ns,
            link_target=target,
        )


def _open(stack: ExitStack, container: Container, tree: View, path: str) -> tuple[int, int]:
    """Open the tree's root and a path in it, for looking only. A link is opened itself."""
    root = os.open(tree.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    # A path that ends in / or /. means what a link leads to.
    follow = path.endswith(("/", "/."))
    try:
        flags = os.O_PATH | (os.O_DIRECTORY if follow else os.O_NOFOLLOW)
        descriptor = inside.open_inside(root, _absolute(path), flags)
    except OSError as error:
        if error.errno == errno.ENOTDIR and follow:
            raise InvalidParameter(f"{path} in {container.name} is not a directory") from None
        raise NotFound(f"Could not find the file {path} in container {container.name}") from None
    stack.callback(os.close, descriptor)
    return root, descriptor


def _link_target(stack: ExitStack, tree: View, path: str) -> str:
    """Where a link leads in the end; its own words when that does not exist."""
    root = os.open(tree.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    try:
        end = inside.open_inside(root, _absolute(path), os.O_PATH)
    except OSError:
        link = inside.open_inside(root, _absolute(path), os.O_PATH | os.O_NOFOLLOW)
        stack.callback(os.close, link)
        words = os.readlink("", dir_fd=link)
        return posixpath.normpath(posixpath.join(posixpath.dirname(_absolute(path)), words))
    stack.callback(os.close, end)
    return inside.path_inside(root, end)


def _pack(
    stack: ExitStack, tree: View, path: str, found: PathStat, packer: Packer
) -> Generator[bytes, None, None]:
    root = os.open(tree.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    absolute = _absolute(path)
    if stat.S_ISDIR(found.mode):
        directory = inside.open_inside(root, absolute, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, directory)
        # As Docker names them: after the last part, which may be a dot.
        last = "." if path.endswith("/.") else found.name
        return packer.pack(directory, ".", last)
    parent = inside.open_inside(root, posixpath.dirname(absolute), os.O_RDONLY | os.O_DIRECTORY)
    stack.callback(os.close, parent)
    return packer.pack(parent, found.name, found.name)


def _extraction_point(container: Container, tree: View, path: str) -> str:
    """Return the directory's path in the container, without links."""
    root = os.open(tree.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = inside.open_inside(root, _absolute(path), os.O_PATH)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise InvalidParameter(f"extraction point {path} is not a directory")
            return inside.path_inside(root, descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        raise NotFound(f"Could not find the file {path} in container {container.name}") from None
    finally:
        os.close(root)


def _check_writable(container: Container, path: str) -> None:
    """Raise Forbidden for what the container itself may not write to."""
    holders = [
        point
        for point in container.mounts
        if path == point.destination or path.startswith(f"{point.destination.rstrip('/')}/")
    ]
    if holders:
        holder = max(holders, key=lambda point: len(point.destination))
        if not holder.rw:
            raise Forbidden(
                f"mounted volume is marked read-only: {holder.destination} in {container.name}"
            )
    elif container.host_config.readonly_rootfs and path.rstrip("/") not in {
        target.rstrip("/") for target in container.host_config.tmpfs
    }:
        raise Forbidden(f"container rootfs is marked read-only: {container.name}")


def _plain(source: Source) -> Source:
    peeked = Peeked(source, HEAD)
    return decompressed(peeked) if is_compressed(peeked.head) else peeked


def _user(container: Container, tree: View) -> tuple[int, int]:
    found = users.resolve(Path(tree.root), container.config.user)
    return found.uid, found.gid


def _absolute(path: str) -> str:
    """A path as it is meant in the container; ``..`` and links are the kernel's to resolve."""
    return posixpath.join("/", path)
