# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The context of a build: a directory without what its ``.dockerignore`` names, as a tar.

Source: Docker's documentation, "Build context", ".dockerignore files".
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
import tarfile
from collections.abc import Iterator
from typing import IO, List, Pattern, Tuple

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

IGNORE = ".dockerignore"
_BLOCK = 1 << 20
Rules = List[Tuple[Pattern[str], bool]]  # what it matches; whether that is ignored


def digest(root: str, dockerfile: str) -> str:
    """A digest of all that a build can see of a context: no times and no owners. Raises Invalid."""
    whole = hashlib.sha256()
    try:
        for name in _names(root, dockerfile):
            path = os.path.join(root, name)
            status = os.lstat(path)
            whole.update(f"{name}\0{stat.S_IFMT(status.st_mode)}\0".encode(*_RAW))
            if stat.S_ISLNK(status.st_mode):
                whole.update(os.readlink(path).encode(*_RAW))
                continue
            whole.update(f"{status.st_mode:o}\0".encode())
            if stat.S_ISREG(status.st_mode):
                whole.update(_content(path))
    except OSError as error:
        raise Invalid(f"context: {error}") from None
    return f"sha256:{whole.hexdigest()}"


def pack(root: str, dockerfile: str, file: IO[bytes]) -> None:
    """Write a context as a compressed tar; everything belongs to root there. Raises Invalid."""
    try:
        with tarfile.open(
            fileobj=file, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT
        ) as archive:
            for name in _names(root, dockerfile):
                path = os.path.join(root, name)
                member = archive.gettarinfo(path, name)
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                if member.islnk():
                    # Another name of a file that may be left out.
                    member.type = tarfile.REGTYPE
                    member.size = os.path.getsize(path)
                if not member.isreg():
                    archive.addfile(member)
                    continue
                with open(path, "rb") as content:
                    archive.addfile(member, content)
    except OSError as error:
        raise Invalid(f"context: {error}") from None


def rules(text: str) -> Rules:
    """Read a ``.dockerignore``. Raises Invalid."""
    found: Rules = []
    for line in text.lstrip("\ufeff").splitlines():
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        ignored = not pattern.startswith("!")
        pattern = posixpath.normpath(pattern.lstrip("!").strip() or ".").lstrip("/")
        try:
            found.append((re.compile(_regex(pattern) + r"\Z", re.DOTALL), ignored))
        except (re.error, ValueError):
            raise Invalid(f"context: {IGNORE} has a wrong pattern: {line}") from None
    return found


def is_ignored(name: str, found: Rules) -> bool:
    """Whether a path is left out: the last rule counts that it or a directory above it meets."""
    above = [name]
    while posixpath.dirname(above[-1]):
        above.append(posixpath.dirname(above[-1]))
    answer = False
    for pattern, ignored in found:
        if any(pattern.match(path) for path in above):
            answer = ignored
    return answer


_RAW = ("utf-8", "surrogateescape")


def _names(root: str, dockerfile: str) -> Iterator[str]:
    """Paths of a context, relative, directories before what is in them, in a stable order."""
    if os.path.isabs(dockerfile) or not os.path.isfile(os.path.join(root, dockerfile)):
        raise Invalid(f"dockerfile: {dockerfile} is not a file in {root}")
    try:
        with open(os.path.join(root, IGNORE), encoding="utf-8") as file:
            found = rules(file.read())
    except FileNotFoundError:
        found = []
    kept = {IGNORE, posixpath.normpath(dockerfile)}
    exceptions = not all(ignored for _pattern, ignored in found)
    yield from _below(root, "", found, kept, exceptions)


def _below(root: str, top: str, found: Rules, kept: set[str], exceptions: bool) -> Iterator[str]:
    with os.scandir(os.path.join(root, top)) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        name = posixpath.join(top, entry.name)
        left_out = is_ignored(name, found) and name not in kept
        is_directory = entry.is_dir(follow_symlinks=False)
        # Something in it may be an exception, or the Dockerfile.
        inside = exceptions or any(path.startswith(f"{name}/") for path in kept)
        if is_directory and (not left_out or inside):
            below = _below(root, name, found, kept, exceptions)
            if left_out:
                # Nothing of it but what is kept. The engine makes the directory itself.
                yield from below
                continue
            yield name
            yield from below
        elif not left_out and (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
            yield name


def _content(path: str) -> bytes:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(_BLOCK):
            found.update(data)
    return found.digest()


def _regex(pattern: str) -> str:
    """Go's patterns of paths, and ``**`` for any number of directories."""
    made, at = "", 0
    while at < len(pattern):
        one = pattern[at]
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("**/", at) else 2
            made += "(.*/)?" if at < len(pattern) else ".*"
            continue
        at += 1
        if one == "*":
            made += "[^/]*"
        elif one == "?":
            made += "[^/]"
        elif one == "\\" and at < len(pattern):
            made += re.escape(pattern[at])
            at += 1
        elif one == "[":
            end = pattern.index("]", at + 1)
            made += pattern[at - 1 : end + 1]
            at = end + 1
        else:
            made += re.escape(one)
    return made
