"""Platforms, ``os/architecture/variant``, in the words that images use (Go's)."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import msgspec

from davit.errors import InvalidParameter

_MACHINES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "s390x": ("s390x", ""),
    "riscv64": ("riscv64", ""),
}
# What an architecture without a variant means.
_GENERATIONS = {"arm": 7, "arm64": 8}
_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm", "armel": "arm"}


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What an image runs on. An empty variant is the architecture's usual one."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    def runs(self, other: Platform) -> bool:
        """Whether an image for ``other`` is meant for this platform."""
        return (
            self.os == other.os
            and self.architecture == other.architecture
            and (not other.variant or not self.variant or self.variant == other.variant)
        )

    def accepts(self, other: Platform) -> bool:
        """Whether an image for ``other`` may be run when this platform was asked for.

        As with Docker, a processor also runs what was made for those before it.
        """
        if self.os != other.os:
            return False
        mine, its = _generation(self), _generation(other)
        if self.architecture == other.architecture:
            return its <= mine
        if (self.architecture, other.architecture) == ("arm64", "arm"):
            return its <= _GENERATIONS["arm"]
        return (self.architecture, other.architecture) == ("amd64", "386")

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def closest(wanted: Platform, offered: Sequence[Platform]) -> int | None:
    """Return which of these runs best where ``wanted`` is asked for, None when none does.

    Its own architecture before those that it runs besides, newer generations before older ones.
    """

    def rank(number: int) -> tuple[bool, int]:
        platform = offered[number]
        return platform.architecture == wanted.architecture, _generation(platform)

    fitting = [number for number, entry in enumerate(offered) if wanted.accepts(entry)]
    return max(fitting, key=rank, default=None)


def _generation(platform: Platform) -> int:
    """The variant as a number; who names none means the architecture's usual one."""
    number = platform.variant.removeprefix("v")
    return int(number) if number.isdecimal() else _GENERATIONS.get(platform.architecture, 1)


def host() -> Platform:
    """This machine's."""
    machine = platform.machine()
    architecture, variant = _MACHINES.get(machine, (machine, ""))
    return Platform(architecture=architecture, variant=variant)


def parse(text: str) -> Platform:
    """Read ``os``, ``architecture`` or ``os/architecture[/variant]``; empty: the host's."""
    if not text:
        local = host()
        # Images of the host's usual variant do not name it.
        return Platform(architecture=local.architecture)
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise InvalidParameter(f"invalid platform {text!r}: use os/architecture/variant")
    if len(parts) == 1:
        if parts[0] in ("linux", "windows", "darwin", "freebsd"):
            return Platform(os=parts[0], architecture=host().architecture)
        return Platform(architecture=_NAMES.get(parts[0], parts[0]))
    return Platform(
        os=parts[0],
        architecture=_NAMES.get(parts[1], parts[1]),
        variant=parts[2] if len(parts) == 3 else "",
    )
