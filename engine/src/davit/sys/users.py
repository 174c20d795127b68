"""Users of a container's own ``/etc/passwd`` and ``/etc/group``, turned into numbers.

The files belong to the image and may be anything: a link never leads out of the root, and nothing
but a regular file is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from davit.errors import InvalidParameter
from davit.model.host import ResolvedUser

_MAX_LINKS = 40
_MAX_SIZE = 16 << 20
_MAX_ID = (1 << 31) - 1


def resolve(root: Path, user: str, groups: Sequence[str] = ()) -> ResolvedUser:
    """Look up ``name|uid[:group|gid]`` and further groups. Blocking.

    An empty user is root. A number need not be known. Without an explicit group, the user is also
    in the groups that list it. The primary group is among the further ones: else a file that gives
    a group fewer rights than others would open to its members (CVE-2022-36109).
    Raises InvalidParameter with Docker's words for unknown names.
    """
    name, _, group = user.partition(":")
    uid, gid, home = 0, 0, "/"
    login = ""
    wanted = name or "0"
    entry = next(
        (fields for fields in _entries(root, "passwd", 7) if wanted in (fields[0], fields[2])),
        None,
    )
    if entry is not None:
        login, uid, gid, home = entry[0], _number(entry[2]), _number(entry[3]), entry[5] or "/"
    elif wanted.isdecimal():
        uid = _number(wanted)
    else:
        raise InvalidParameter(
            f"unable to find user {name}: no matching entries in passwd file; use a name of the "
            "image's /etc/passwd, or a number"
        )
    listed = list(_entries(root, "group", 4)) if group or groups or login else []
    additional: list[int] = []
    if group:
        gid = _group(listed, group)
    elif login:
        additional = [_number(fields[2]) for fields in listed if login in fields[3].split(",")]
    additional = [gid, *additional, *(_group(listed, text) for text in groups)]
    return ResolvedUser(
        uid=uid, gid=gid, additional_gids=list(dict.fromkeys(additional)), home=home
    )


def _group(listed: Sequence[Sequence[str]], text: str) -> int:
    for fields in listed:
        if fields[0] == text:
            return _number(fields[2])
    if text.isdecimal():
        return _number(text)
    raise InvalidParameter(
        f"unable to find group {text}: no matching entries in group file; use a name of the "
        "image's /etc/group, or a number"
    )


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_ID:
        raise InvalidParameter(f"invalid user or group ID {text!r}: use 0 to {_MAX_ID}")
    return int(text)


def _entries(root: Path, database: str, width: int) -> Iterator[list[str]]:
    """Yield the well-formed lines of ``/etc/passwd`` or ``/etc/group``, split."""
    text = _read_inside(root, f"etc/{database}")
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) >= width and fields[2].isdecimal() and not line.startswith("#"):
            yield fields


def _read_inside(root: Path, path: str) -> str:
    """Read a regular file below ``root``, as if that were ``/``; empty when there is none."""
    descriptor = _open_inside(root, path)
    if descriptor is None:
        return ""
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return ""
        return file.read(_MAX_SIZE).decode(errors="replace")


def _open_inside(root: Path, path: str) -> int | None:
    """Walk down part by part; each is opened without following links, and links are resolved here.

    (openat2(2) with RESOLVE_IN_ROOT does this in the kernel, but Python has no call for it.)
    """
    pending = [part for part in reversed(path.split("/")) if part]
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part in (".", ".."):
            done = done[:-1] if part == ".." else done
            continue
        parent = _open_directory(root, done)
        if parent is None:
            return None
        try:
            mode = os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                links += 1
                target = os.readlink(part, dir_fd=parent)
                if links > _MAX_LINKS:
                    return None
                done = [] if target.startswith("/") else done
                pending += [piece for piece in reversed(target.split("/")) if piece]
            elif pending:
                done.append(part)
            elif not stat.S_ISREG(mode):  # opening a FIFO or a device may block or act
                return None
            else:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                return os.open(part, flags, dir_fd=parent)
        except OSError:
            return None
        finally:
            os.close(parent)
    return None


def _open_directory(root: Path, parts: Sequence[str]) -> int | None:
    """Open a directory below ``root`` none of whose parts may be a link."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            below = os.open(part, flags, dir_fd=descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor
