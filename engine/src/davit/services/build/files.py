"""COPY and ADD as steps: flags, sources, owners; :mod:`copying` does the rest."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import os
import posixpath
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from davit.drivers import download, git
from davit.errors import InvalidParameter
from davit.model.build import Command
from davit.model.config import ContainerConfig
from davit.model.image import Image
from davit.services.build import copying, trees
from davit.services.build.context import Context
from davit.services.build.copying import Found, Target
from davit.services.build.needs import Needs
from davit.spec.dockerfile import metadata
from davit.spec.dockerfile.expand import expand
from davit.spec.dockerfile.match import Ignored
from davit.sys import users

ImageOf = Callable[[str, int], Awaitable["Image | None"]]
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}\Z")
_HEREDOC = re.compile(r"<<(-?)(['\"]?)([A-Za-z_][\w.]*)\2\Z")


@dataclass(frozen=True)
class FileStep:
    """A step whose sources are known. text: for the history; extra: what else it depends on."""

    text: str
    extra: list[str]
    found: list[Found]
    target: Target

    async def copy(self, tree: trees.Tree) -> None:
        await asyncio.to_thread(copying.copy, self.found, tree.root, self.target)


class Files:
    """Prepares file steps for one build. scratch: a directory of the build's own."""

    def __init__(
        self, needs: Needs, context: Context, scratch: Path, image_of: ImageOf, escape: str
    ) -> None:
        self._needs = needs
        self._context = context
        self._scratch = scratch
        self._image_of = image_of
        self._escape = escape
        self._numbers = itertools.count()

    @asynccontextmanager
    async def opened(
        self,
        command: Command,
        values: Mapping[str, str],
        stage: int,
        config: ContainerConfig,
        layers: Sequence[str],
    ) -> AsyncIterator[FileStep]:
        """Find what is to be copied; sources stay there while this is open.

        values: variables; stage: the number of the one that the step is in; layers: those below
        the step. Raises InvalidParameter, ValueError, NotFound (image).
        """
        flags = _flags(command, values, self._escape)
        *sources, destination = _words(command, values, self._escape)
        async with AsyncExitStack() as stack:
            origin = flags.get("from", "")
            if origin:
                image = await self._image_of(origin, stage)
                root = await self._tree(stack, image.layers if image is not None else [])
            else:
                root = self._context.root
            find = functools.partial(self._find, command, values, root)
            here = [source for source in sources if not _is_remote(command, source)]
            found = await asyncio.to_thread(find, here, flags) if here else []
            for url in sources:
                if url not in here:
                    found.append(await self._fetch(url, destination, flags))
            if not found:
                raise InvalidParameter(f"{command.name} failed: no source files were specified")
            owner = flags.get("chown", "")
            ids = await self._owner(stack, owner, layers) if owner else None
            target = _target(destination, config, flags, found, ids, foreign=bool(origin))
            digest = await asyncio.to_thread(copying.digest, found, target)
            chown = f"--chown={owner} " if owner else ""
            yield FileStep(
                text=f"{command.name} {chown}{digest} in {destination} ",
                extra=[target.path, str(target.many), *sorted(command.flags)],
                found=found,
                target=target,
            )

    async def _tree(self, stack: AsyncExitStack, layers: Sequence[str]) -> Path:
        tree = await stack.enter_async_context(trees.mounted(self._needs, layers))
        return tree.root

    async def _owner(
        self, stack: AsyncExitStack, text: str, layers: Sequence[str]
    ) -> tuple[int, int]:
        """Users and groups are those of the image that the files go to."""
        user, _, group = text.partition(":")
        if user.isdecimal() and (not group or group.isdecimal()):
            return int(user), int(group or user)
        tree = await self._tree(stack, layers)
        found = await asyncio.to_thread(users.resolve, tree, text)
        # Without a group it has the user's number, as with Docker.
        return found.uid, found.gid

    def _find(
        self,
        command: Command,
        values: Mapping[str, str],
        root: Path,
        sources: Sequence[str],
        flags: Mapping[str, str],
    ) -> list[Found]:
        documents = iter(command.heredocs)
        found: list[Found] = []
        for source in sources:
            here = None if command.json else _HEREDOC.match(source)
            if here is not None:
                text = next(documents).content
                if here[1]:
                    text = "".join(line.lstrip("\t") for line in text.splitlines(keepends=True))
                if not here[2]:
                    text = _expand_lines(text, values, self._escape)
                found.append(self._document(here[3], text))
            else:
                find = copying.find_with_parents if _is_set(flags, "parents") else copying.find
                found += find(root, source, command.name)
        if command.name == "ADD" and flags.get("unpack", "true") == "true":
            found = [_unpacked(one) for one in found]
        return found

    async def _fetch(self, url: str, destination: str, flags: Mapping[str, str]) -> Found:
        directory = self._scratch / "fetched" / f"{next(self._numbers)}"
        await asyncio.to_thread(directory.mkdir, parents=True)
        if git.is_repository(url):
            keep = _is_set(flags, "keep-git-dir")
            root = await git.checkout(git.parse(url), directory / "git", keep_git=keep)
            return Found(root, "", url, is_directory=True)
        name = download.filename(url)
        if destination.endswith("/") and not name:
            raise InvalidParameter(f"cannot determine filename for source {url}")
        # Under a name of its own: the URL's may be anything.
        path = directory / "file"
        got = await download.download(url, path)
        wanted = flags.get("checksum", got.digest)
        if wanted != got.digest:
            raise InvalidParameter(f"digest mismatch {got.digest}: {wanted} of {url}")
        await asyncio.to_thread(_finish, path, got.modified)
        found = Found(directory, path.name, name or posixpath.basename(destination), False)
        unpack = _is_set(flags, "unpack")
        return await asyncio.to_thread(_unpacked, found) if unpack else found

    def _document(self, name: str, text: str) -> Found:
        """Write a here-document to a file of the build's."""
        directory = self._scratch / "documents"
        directory.mkdir(exist_ok=True)
        path = directory / f"{next(self._numbers)}"
        path.write_text(text, errors="surrogateescape")
        path.chmod(0o644)
        return Found(directory, path.name, name, is_directory=False)


def _is_remote(command: Command, source: str) -> bool:
    """Whether ADD fetches it."""
    return command.name == "ADD" and (
        source.startswith(("http://", "https://")) or git.is_repository(source)
    )


def _unpacked(found: Found) -> Found:
    """The same source, to be unpacked if it is an archive."""
    if found.is_directory or not copying.is_archive(found.root / found.path):
        return found
    return dataclasses.replace(found, is_archive=True)


def _finish(path: Path, modified: float | None) -> None:
    path.chmod(0o600)
    if modified is not None:
        os.utime(path, (modified, modified))


def _expand_lines(text: str, values: Mapping[str, str], escape: str) -> str:
    """Variables in a here-document: quotes are plain characters there."""
    out = []
    for line in text.splitlines(keepends=True):
        body = line.rstrip("\n")
        plain = re.sub(r"(['\"])", lambda quote: f"{escape}{quote[1]}", body)
        out.append(expand(plain, values, escape) + line[len(body) :])
    return "".join(out)


def _flags(command: Command, values: Mapping[str, str], escape: str) -> dict[str, str]:
    flags: dict[str, str] = {}
    for flag in command.flags:
        name, _, value = flag[2:].partition("=")
        value = expand(value, values, escape) if name in ("chown", "chmod") else value
        if name == "checksum" and not _SHA256.match(value):
            raise ValueError(f"invalid checksum {value!r}: use sha256: and 64 hex digits")
        if name in ("unpack", "keep-git-dir", "parents"):
            value = value or "true"
        flags[name] = f"{flags[name]}\n{value}" if name == "exclude" and name in flags else value
    return flags


def _is_set(flags: Mapping[str, str], name: str) -> bool:
    return flags.get(name, "false") == "true"


def _words(command: Command, values: Mapping[str, str], escape: str) -> list[str]:
    words = [
        word if not command.json and _HEREDOC.match(word) else expand(word, values, escape)
        for word in command.words
    ]
    if not words[-1]:
        raise ValueError("the destination is empty")
    return words


def _target(
    destination: str,
    config: ContainerConfig,
    flags: Mapping[str, str],
    found: Sequence[Found],
    owner: tuple[int, int] | None,
    *,
    foreign: bool,
) -> Target:
    """foreign: the files come from an image, and keep their owners."""
    many = len(found) > 1
    is_directory = (
        _is_set(flags, "parents") or destination.endswith(("/", "/.")) or destination in (".", "..")
    )
    if many and not is_directory:
        raise InvalidParameter(
            "When using COPY with more than one source file, the destination must be a directory "
            "and end with a /"
        )
    path = metadata.directory(config, destination)
    if is_directory:
        path = posixpath.join(path, "")
    excluded = flags.get("exclude", "")
    return Target(
        path=path,
        many=many,
        owner=_keep if foreign and owner is None else functools.partial(_give, owner or (0, 0)),
        unpacked=_keep if owner is None else functools.partial(_give, owner),
        made_by=owner or (0, 0),
        mode=_mode(flags["chmod"]) if flags.get("chmod") else None,
        ignored=Ignored(excluded.split("\n")) if excluded else None,
    )


def _keep(uid: int, gid: int) -> tuple[int, int]:
    return uid, gid


def _give(owner: tuple[int, int], uid: int, gid: int) -> tuple[int, int]:
    return owner


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise ValueError(f"invalid chmod parameter: {text!r}: use octal digits")
    return mode
