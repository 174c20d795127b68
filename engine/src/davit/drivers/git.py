"""Git repositories as directories, by the ``git`` program."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from davit.errors import InvalidParameter
from davit.sys import inside, process

_URL = re.compile(r"(git://|git@|ssh://|github\.com/|https?://[^#?]*\.git(#|\Z))")
# Repositories come over a network only, those that they name, too, and nobody can be asked.
_SAFE = ["-c", "protocol.allow=never", "-c", "core.askPass=true", "-c", "credential.helper="]
for _name in ("http", "https", "git", "ssh"):
    _SAFE += ["-c", f"protocol.{_name}.allow=always"]


@dataclass(frozen=True)
class Repository:
    """ref: branch, tag or commit, empty for the default; directory: in it, empty for all of it."""

    url: str
    ref: str = ""
    directory: str = ""


def is_repository(text: str) -> bool:
    """Whether a URL names a git repository, as Docker tells."""
    return _URL.match(text) is not None


def parse(text: str) -> Repository:
    """Read ``URL[#ref[:directory]]``. Raises InvalidParameter."""
    url, _, fragment = text.partition("#")
    ref, _, directory = fragment.partition(":")
    if url.startswith("github.com/"):
        url = f"https://{url}"
    if ref.startswith("-"):
        raise InvalidParameter(f"invalid git reference {ref!r} in {text!r}")
    return Repository(url, ref, directory)


async def checkout(repository: Repository, target: Path, *, keep_git: bool = False) -> Path:
    """Fetch into the new directory ``target``; return the directory that is wanted of it.

    keep_git: leave ``.git`` there. Raises InvalidParameter with git's words, Unavailable when the
    host has no git.
    """
    await _git(repository, "init", "--quiet", str(target))
    there = ["-C", str(target)]
    await _git(repository, *there, "remote", "add", "origin", repository.url)
    ref = repository.ref or "HEAD"
    fetch = [*there, "fetch", "--quiet"]
    wanted = "FETCH_HEAD"
    # Not every server sends parts of a history, nor commits that no branch or tag names.
    for attempt in (["--depth", "1", "origin", ref], ["origin", ref]):
        if await _try(*fetch, *attempt) is None:
            break
    else:
        await _git(repository, *fetch, "--tags", "origin")
        wanted = ref
    await _git(repository, *there, "checkout", "--quiet", "--detach", wanted)
    if await asyncio.to_thread((target / ".gitmodules").is_file):
        await _git(repository, *there, "submodule", "update", "--quiet", "--init", "--recursive")
    if not keep_git:
        await asyncio.to_thread(shutil.rmtree, target / ".git")
    return await asyncio.to_thread(_inside, repository, target)


async def _git(repository: Repository, *words: str) -> None:
    reason = await _try(*words)
    if reason is not None:
        raise InvalidParameter(f"failed to fetch the git repository {repository.url}: {reason}")


async def _try(*words: str) -> str | None:
    """Run git; return why it failed, None when it did not."""
    done = await process.run(["git", *_SAFE, *words])
    return done.reason if done.status else None


def _inside(repository: Repository, target: Path) -> Path:
    """A directory of the repository; links do not lead out of it."""
    root = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = inside.open_inside(root, repository.directory, os.O_PATH | os.O_DIRECTORY)
        try:
            return target / inside.path_inside(root, found).lstrip("/")
        finally:
            os.close(found)
    except OSError as error:
        raise InvalidParameter(
            f"{repository.directory!r} in the git repository {repository.url}: {error.strerror}"
        ) from None
    finally:
        os.close(root)
