"""``RUN --mount``: what a command sees for as long as it runs, and the layer does not keep.

Source: Dockerfile reference, "RUN --mount".
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from davit.errors import NotSupported
from davit.model.build import Command
from davit.model.config import ContainerConfig, Mount, TmpfsOptions
from davit.services.build import copying, secrets, trees
from davit.services.build.agents import Agents
from davit.services.build.caches import Caches
from davit.services.build.context import Context
from davit.services.build.copying import Target
from davit.services.build.files import ImageOf
from davit.services.build.needs import Lender, Needs, Report
from davit.services.build.secrets import Secrets
from davit.spec.dockerfile import metadata
from davit.spec.dockerfile.expand import expand

_FLAGS = ("readonly", "rw", "required")
_NAMES = {
    "dst": "target",
    "destination": "target",
    "src": "source",
    "ro": "readonly",
    "readwrite": "rw",
}
_OPTIONS = {
    "bind": ("target", "source", "from", "readonly", "rw"),
    "cache": ("target", "id", "sharing", "readonly", "mode", "uid", "gid", "rw"),
    "tmpfs": ("target", "size"),
    "secret": ("target", "id", "source", "required", "mode", "uid", "gid"),
    "ssh": ("target", "id", "required", "mode", "uid", "gid"),
}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, eq=False)
class Wish:
    """One mount as asked for. target: absolute; options: by their longest names."""

    kind: str
    target: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def read_only(self) -> bool:
        """Binds are, unless they are to be written to; caches are not, unless they are to be."""
        if self.kind == "bind":
            return self.options.get("rw", "false") == "false"
        return self.options.get("readonly", "false") != "false"


def wishes(
    command: Command, config: ContainerConfig, values: Mapping[str, str], escape: str
) -> list[Wish]:
    """Read the mounts of a RUN. Raises NotSupported, ValueError, ExpansionError."""
    texts = [
        expand(flag[len("--mount=") :], values, escape)
        for flag in command.flags
        if flag.startswith("--mount=")
    ]
    return [_wish(text, config, number) for number, text in enumerate(texts)]


class Mounter:
    """Makes the mounts of one build's steps."""

    def __init__(
        self,
        needs: Needs,
        caches: Caches,
        lender: Lender,
        report: Report,
        context: Context,
        image_of: ImageOf,
    ) -> None:
        self._needs = needs
        self._caches = caches
        self._secrets = Secrets(needs, lender, report)
        self._agents = Agents(needs, lender, report)
        self._context = context
        self._image_of = image_of

    async def binds(
        self, stack: AsyncExitStack, wanted: Sequence[Wish], stage: int
    ) -> tuple[list[Mount], list[str]]:
        """Return the binds and digests of what they show. stage: the number of the step's.

        The sources stay until the stack is closed. Raises InvalidParameter, NotFound (image).
        """
        mounts, digests = [], []
        for wish in wanted:
            if wish.kind == "bind":
                found = await self._source(stack, wish, stage)
                digests.append(await asyncio.to_thread(copying.digest, [found], _AS_IT_IS))
                source = found.root / found.path
                # A tree of an image is mounted for this step alone, and nothing of it stays.
                if not wish.read_only and "from" not in wish.options:
                    if not found.is_directory:
                        raise NotSupported(
                            f"RUN --mount: {found.name} is a file: mount it read-only"
                        )
                    # What the command writes is gone with the mount.
                    tree = await stack.enter_async_context(
                        trees.above(self._needs, [source], self._needs.remap)
                    )
                    source = tree.root
                mounts.append(_bind(wish, source))
        return mounts, digests

    async def scratch(
        self, stack: AsyncExitStack, wanted: Sequence[Wish]
    ) -> tuple[list[Mount], dict[str, str]]:
        """Return the mounts on which a step's result does not depend: caches, tmpfs, secrets.

        And the variables that tell the command where they are.
        """
        mounts: list[Mount] = []
        env: dict[str, str] = {}
        for wish in wanted:
            if wish.kind == "cache":
                path = await stack.enter_async_context(
                    self._caches.opened(wish.target, wish.options)
                )
                mounts.append(_bind(wish, path))
            elif wish.kind == "tmpfs":
                size = _bytes(wish.options.get("size", "0"))
                options = TmpfsOptions(size_bytes=size)
                mounts.append(Mount(type="tmpfs", target=wish.target, tmpfs_options=options))
            elif wish.kind == "secret":
                mounts += await self._secrets.mounts(stack, wish.target, wish.options)
            elif wish.kind == "ssh":
                agents = await self._agents.mounts(stack, wish.target, wish.options)
                mounts += agents
                if agents:
                    env.setdefault("SSH_AUTH_SOCK", wish.target)
        return mounts, env

    async def _source(self, stack: AsyncExitStack, wish: Wish, stage: int) -> copying.Found:
        root = self._context.root
        if origin := wish.options.get("from"):
            image = await self._image_of(origin, stage)
            layers = image.layers if image is not None else []
            tree = await stack.enter_async_context(
                trees.mounted(self._needs, layers, self._needs.remap)
            )
            root = tree.root
        source = wish.options.get("source", "/")
        return await asyncio.to_thread(copying.resolve, root, source, "RUN --mount")


def _wish(text: str, config: ContainerConfig, number: int) -> Wish:
    (row,) = csv.reader(io.StringIO(text))
    options: dict[str, str] = {}
    for item in row:
        name, equals, value = item.partition("=")
        name = _NAMES.get(name.lower(), name.lower())
        if not equals and name not in _FLAGS:
            raise ValueError(f"invalid field '{item}' must be a key=value pair")
        options[name] = value if equals else "true"
    kind = options.pop("type", "bind")
    if kind not in _OPTIONS:
        raise ValueError(f"invalid mount type {kind!r}: use {', '.join(_OPTIONS)}")
    for name in options:
        if name not in _OPTIONS[kind]:
            raise ValueError(f"unexpected key '{name}' in '{text}'")
    if kind == "secret":
        options = secrets.completed(options, text)
    elif kind == "ssh":
        options.setdefault("target", f"/run/buildkit/ssh_agent.{number}")
    if not options.get("target"):
        raise ValueError(f"invalid mount {text!r}: target is missing")
    return Wish(kind, metadata.directory(config, options.pop("target")), options)


def _bind(wish: Wish, source: Path) -> Mount:
    return Mount(type="bind", source=str(source), target=wish.target, read_only=wish.read_only)


def _bytes(text: str) -> int:
    number = text.rstrip("bBkKmMgG")
    unit = text[len(number) :].lower()
    if not number.isdecimal() or unit not in _UNITS:
        raise ValueError(f"invalid size {text!r}")
    return int(number) * _UNITS[unit]


_AS_IT_IS = Target(
    path="/", many=False, owner=lambda uid, gid: (uid, gid), unpacked=lambda uid, gid: (uid, gid)
)
