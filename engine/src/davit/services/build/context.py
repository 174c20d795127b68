"""A build's context: the files that the client sends, in a directory of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from davit.drivers import download, git
from davit.drivers.tar.compression import decompressed
from davit.drivers.tar.extract import extract
from davit.drivers.tar.stream import Source, feed
from davit.errors import InvalidParameter, NotSupported
from davit.services.build import copying
from davit.spec.dockerfile.match import Ignored
from davit.sys import inside

_LARGEST = 16 << 20


@dataclass(frozen=True)
class Context:
    """root: the directory; dockerfile: the text."""

    root: Path
    dockerfile: bytes


async def receive(root: Path, chunks: AsyncIterator[bytes], dockerfile: str) -> Context:
    """Unpack an archive, compressed or not, and take out what ``.dockerignore`` names.

    Raises InvalidParameter for a damaged archive, or one without the Dockerfile.
    """
    await asyncio.to_thread(root.mkdir, parents=True)
    await feed(chunks, lambda source: _unpack(source, root))
    return await asyncio.to_thread(_prepare, root, dockerfile)


async def fetch(scratch: Path, remote: str, dockerfile: str) -> Context:
    """Get a context from a URL: a git repository, an archive, or a Dockerfile alone.

    scratch: a directory to work in. Raises InvalidParameter, NotSupported, Unavailable (no git).
    """
    await asyncio.to_thread(scratch.mkdir, parents=True)
    root = scratch / "context"
    if git.is_repository(remote):
        found = await git.checkout(git.parse(remote), root)
        return await asyncio.to_thread(_prepare, found, dockerfile)
    if not remote.startswith(("http://", "https://")):
        raise NotSupported(f"remote={remote}: davit fetches contexts by HTTP and from git")
    file = scratch / "remote"
    await download.download(remote, file)
    return await asyncio.to_thread(_open, file, root, dockerfile)


def _open(file: Path, root: Path, dockerfile: str) -> Context:
    root.mkdir()
    if not copying.is_archive(file):
        file.rename(root / "Dockerfile")
        return _prepare(root, "Dockerfile")
    with file.open("rb") as archive:
        _unpack(archive, root)
    return _prepare(root, dockerfile)


def _unpack(source: Source, root: Path) -> None:
    plain = decompressed(source)
    extract(plain, str(root), [], replace=True, owner=lambda uid, gid: (uid, gid))


def _prepare(root: Path, dockerfile: str) -> Context:
    name = dockerfile or "Dockerfile"
    text = read(root, name)
    if text is None:
        raise InvalidParameter(
            f"Cannot locate specified Dockerfile: {name}: the context has no such file"
        )
    if not text.strip():
        raise InvalidParameter(f"the Dockerfile ({name}) cannot be empty")
    # One beside the Dockerfile is for this Dockerfile alone.
    for place in (f"{name}.dockerignore", ".dockerignore"):
        listed = read(root, place)
        if listed is None:
            continue
        lines = listed.decode("utf-8-sig", errors="replace").splitlines()
        remove_ignored(root, Ignored(lines))
        break
    return Context(root, text)


def read(root: Path, name: str) -> bytes | None:
    """Read a file of the context; links do not lead out of it."""
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = inside.open_inside(directory, name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    finally:
        os.close(directory)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(_LARGEST)


def remove_ignored(root: Path, ignored: Ignored) -> None:
    for directory, path in _walk(root, ""):
        if path not in ignored:
            continue
        if not directory.is_dir() or directory.is_symlink():
            directory.unlink()
        elif not ignored.has_exceptions:
            shutil.rmtree(directory)
        elif not any(directory.iterdir()):
            directory.rmdir()


def _walk(directory: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    """Yield all that is below a directory, what is inside first."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        path = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{path}/")
        yield Path(entry.path), path
