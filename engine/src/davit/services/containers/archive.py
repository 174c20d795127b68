"""Files into and out of a container as tar archives: ``docker cp``, ``docker export``."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from davit.drivers.tar.extract import extract
from davit.drivers.tar.stream import Source, drawn, feed
from davit.errors import Forbidden, InvalidParameter, NotFound
from davit.model.container import Container
from davit.model.files import PathStat
from davit.services.containers import remapping, view
from davit.services.containers.context import Context
from davit.services.containers.view import View
from davit.sys import inside, userns, users
from davit.sys.tasks import in_thread

if TYPE_CHECKING:
    from davit.drivers.tar.pack import Packer


async def status(ctx: Context, reference: str, path: str) -> PathStat:
    """Tell of a path. A link at its end is told of itself. Raises NotFound."""
    container = ctx.store.get(reference)
    async with view.opened(ctx, reference) as tree:
        return await in_thread(_status, container, tree, path)


@asynccontextmanager
async def get(
    ctx: Context, reference: str, path: str
) -> AsyncIterator[tuple[PathStat, AsyncGenerator[bytes, None]]]:
    """Open a path as an archive, whose members are below the path's last part. Raises NotFound."""
    container = ctx.store.get(reference)
    async with view.opened(ctx, reference) as tree:
        found = await in_thread(_status, container, tree, path)
        packer = _packer(tree)
        with ExitStack() as stack:
            try:
                pieces = await in_thread(_pack, stack, tree, path, found, packer)
            except OSError:  # it was there a moment ago
                raise _missing(container, path) from None
            ctx.announce(container, "archive-path")
            async with aclosing(drawn(pieces)) as drawn_pieces:
                yield found, drawn_pieces


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
        below = await in_thread(_extraction_point, container, tree, path)

        def owner(uid: int, gid: int) -> tuple[int, int]:
            return tree.on_host(*(user if user is not None else (uid, gid)))

        given = own and container.config.user
        user = await in_thread(_user, container, tree) if given else None
        parts = [part for part in below.split("/") if part]

        def work(source: Source) -> None:
            with ExitStack() as stack:
                remap = remapping.of(ctx, container)
                if tree.ids is not None and remap is not None:
                    stack.enter_context(userns.filesystem_ids(*remap.ids.root))
                extract(source, tree.root, parts, replace=replace, owner=owner)

        await feed(chunks, work)
    ctx.announce(container, "extract-to-dir")


async def export(ctx: Context, reference: str) -> AsyncGenerator[bytes, None]:
    """Yield the container's root file system as an archive, without what is mounted in it."""
    container = ctx.store.get(reference)
    async with AsyncExitStack() as stack:
        tree = await stack.enter_async_context(view.opened(ctx, reference, mounts=False))
        with_root = stack.enter_context(ExitStack())
        root = await in_thread(_open_root, with_root, tree)
        ctx.announce(container, "export")
        packed = _packer(tree).pack(root, ".", "")
        pieces = await stack.enter_async_context(aclosing(drawn(packed)))
        async for piece in pieces:
            yield piece


def _packer(tree: View) -> Packer:
    # Imported when there is something to pack: it has tarfile, which is large.
    from davit.drivers.tar.pack import Packer

    return Packer(owner=tree.in_container)


def _status(container: Container, tree: View, path: str) -> PathStat:
    with ExitStack() as stack:
        _, descriptor = _open(stack, container, tree, path)
        found = os.fstat(descriptor)
        target = ""
        if stat.S_ISLNK(found.st_mode):
            try:
                target = _link_target(stack, tree, path)
            except OSError:  # it was there a moment ago
                raise _missing(container, path) from None
        return PathStat(
            name="." if _is_contents(path) else posixpath.basename(_absolute(path)) or "/",
            size=found.st_size,
            mode=found.st_mode,
            mtime=found.st_mtime_ns,
            link_target=target,
        )


def _open_root(stack: ExitStack, tree: View) -> int:
    root = os.open(tree.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)
    return root


def _open(stack: ExitStack, container: Container, tree: View, path: str) -> tuple[int, int]:
    """Open the tree's root and a path in it, for looking only. A link is opened itself."""
    root = _open_root(stack, tree)
    # A path that ends in / or /. means what a link leads to.
    follow = path.endswith("/") or _is_contents(path)
    try:
        flags = os.O_PATH | (os.O_DIRECTORY if follow else os.O_NOFOLLOW)
        descriptor = inside.open_inside(root, _absolute(path), flags)
    except OSError as error:
        if error.errno == errno.ENOTDIR and follow:
            raise InvalidParameter(f"{path} in {container.name} is not a directory") from None
        raise _missing(container, path) from None
    stack.callback(os.close, descriptor)
    return root, descriptor


def _missing(container: Container, path: str) -> NotFound:
    return NotFound(f"Could not find the file {path} in container {container.name}")


def _link_target(stack: ExitStack, tree: View, path: str) -> str:
    """Where a link leads in the end; its own words when that does not exist."""
    root = _open_root(stack, tree)
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
    root = _open_root(stack, tree)
    absolute = _absolute(path)
    if stat.S_ISDIR(found.mode):
        directory = inside.open_inside(root, absolute, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, directory)
        # As Docker names them: after the last part, which may be a dot.
        return packer.pack(directory, ".", found.name)
    parent = inside.open_inside(root, posixpath.dirname(absolute), os.O_RDONLY | os.O_DIRECTORY)
    stack.callback(os.close, parent)
    return packer.pack(parent, found.name, found.name)


def _extraction_point(container: Container, tree: View, path: str) -> str:
    """Return the directory's path in the container, without links. Raises Forbidden."""
    with ExitStack() as stack:
        root = _open_root(stack, tree)
        try:
            descriptor = inside.open_inside(root, _absolute(path), os.O_PATH)
        except OSError:
            raise _missing(container, path) from None
        stack.callback(os.close, descriptor)
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise InvalidParameter(f"extraction point {path} is not a directory")
        below = inside.path_inside(root, descriptor)
        if os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
            raise _read_only(container, below)
        return below


def _read_only(container: Container, path: str) -> Forbidden:
    """What the container itself may not write to, in Docker's words."""
    holders = [
        point.destination
        for point in container.mounts
        if path == point.destination or path.startswith(f"{point.destination.rstrip('/')}/")
    ]
    if holders:
        return Forbidden(
            f"mounted volume is marked read-only: {max(holders, key=len)} in {container.name}"
        )
    if container.host_config.readonly_rootfs:
        return Forbidden(f"container rootfs is marked read-only: {container.name}")
    return Forbidden(f"{path} is mounted read-only in {container.name}")


def _user(container: Container, tree: View) -> tuple[int, int]:
    found = users.resolve(Path(tree.root), container.config.user)
    return found.uid, found.gid


def _is_contents(path: str) -> bool:
    """Whether the path ends in a dot: what is in a directory, and not the directory."""
    return posixpath.basename(path) == "."


def _absolute(path: str) -> str:
    """A path as Docker means it: ``..`` goes by the words, links are the kernel's to resolve."""
    return posixpath.normpath(f"/{path.lstrip('/')}")
