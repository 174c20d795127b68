"""A directory as the root of all paths: nothing is ever opened outside it.

Paths are walked one component at a time with descriptors and ``O_NOFOLLOW``; symbolic links are
followed as a process would that has the directory as its ``/``, but one that climbs above it is an
error, not clamped: nothing honest needs it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from types import TracebackType

from davit.errors import InvalidParameter
from davit.sys import inside

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS_AT_MOST = 40
_DEEPEST = 256
# As many as a path of PATH_MAX has room for; each level takes a descriptor on the way.
_LONGEST_WALK = 2048


def split(name: str) -> list[str]:
    """Return the components of an archive member's name; the root itself has none.

    Raises InvalidParameter for absolute names and ``..``.
    """
    if name.startswith("/"):
        raise InvalidParameter(f"refused: the archive has the absolute path {name!r}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidParameter(f"refused: the archive's path {name!r} leads out of the image")
    return parts


class Root:
    """Opens directories under one path. Keeps the one used last open, as archives are sorted."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._fd = os.open(path, _DIRECTORY)
        self._last: tuple[tuple[str, ...], int] | None = None

    def __enter__(self) -> Root:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.forget()
        os.close(self._fd)

    def forget(self) -> None:
        """Drop the kept directory: something was removed, it may be gone."""
        if self._last is not None:
            os.close(self._last[1])
            self._last = None

    def directory(
        self, parts: list[str], *, create: bool = False, behind_links: bool = False
    ) -> int:
        """Return a descriptor of a directory; valid until the next call.

        create: make missing directories (mode 0755, root's), and where a link has led only with
        behind_links: archives bring a directory before what is in it. Raises InvalidParameter.
        """
        key = tuple(parts)
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        descriptor = self._walk(parts, create, behind_links)
        self.forget()
        self._last = (key, descriptor)
        return descriptor

    def _walk(self, parts: list[str], create: bool, behind_links: bool) -> int:
        # Nearly always there is no link on the way; then it is one call.
        with suppress(OSError):
            return inside.open_without_links(self._fd, "/".join(parts), _DIRECTORY)
        trail = [os.dup(self._fd)]
        rest = list(reversed(parts))
        links = 0
        try:
            while rest:
                part = rest.pop()
                if part == "..":
                    # Only from symbolic links: names with ".." are refused before.
                    if len(trail) == 1:
                        raise _climbs(parts)
                    os.close(trail.pop())
                    continue
                if len(trail) > _LONGEST_WALK:
                    raise InvalidParameter(
                        f"refused: the archive's path {'/'.join(parts)[:100]!r}… is more than "
                        f"{_LONGEST_WALK} levels deep"
                    )
                target = self._enter(trail, part, create and (behind_links or not links), parts)
                if target is None:
                    continue
                links += 1
                if links > _LINKS_AT_MOST:
                    raise InvalidParameter(
                        "refused: too many symbolic links in the archive's path "
                        f"{'/'.join(parts)!r}"
                    )
                if target.startswith("/"):
                    while len(trail) > 1:
                        os.close(trail.pop())
                rest += [step for step in reversed(target.split("/")) if step not in ("", ".")]
            return trail.pop()
        finally:
            for descriptor in trail:
                os.close(descriptor)

    def _enter(self, trail: list[int], part: str, create: bool, path: list[str]) -> str | None:
        """Descend into ``part``; return the target instead when it is a symbolic link."""
        parent = trail[-1]
        try:
            trail.append(os.open(part, _DIRECTORY, dir_fd=parent))
            return None
        except FileNotFoundError:
            if not create:
                raise _no_directory(path) from None
            os.mkdir(part, 0o755, dir_fd=parent)
            os.chmod(part, 0o755, dir_fd=parent)  # whatever the umask
            trail.append(os.open(part, _DIRECTORY, dir_fd=parent))
            return None
        except OSError as error:
            # A symbolic link answers ENOTDIR or ELOOP to O_DIRECTORY | O_NOFOLLOW.
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
        if not stat.S_ISLNK(os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode):
            raise _no_directory(path)
        return os.readlink(part, dir_fd=parent)


def _climbs(parts: list[str]) -> InvalidParameter:
    return InvalidParameter(
        f"refused: a symbolic link in the archive's path {'/'.join(parts)!r} leads out of the image"
    )


def _no_directory(parts: list[str]) -> InvalidParameter:
    return InvalidParameter(
        f"refused: the archive's path {'/'.join(parts)!r} goes through something that is no "
        "directory of the image"
    )


def remove(name: str, parent: int, depth: int = 0) -> None:
    """Delete a file or a whole directory that ``parent`` (a descriptor) holds.

    Raises InvalidParameter for what is nested too deep: each level takes a descriptor.
    """
    if depth > _DEEPEST:
        raise InvalidParameter(
            f"refused: an archive's member is to replace a directory of more than {_DEEPEST} levels"
        )
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        for entry in os.listdir(descriptor):
            remove(entry, descriptor, depth + 1)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=parent)
