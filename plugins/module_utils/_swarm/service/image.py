# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Which image a service is to have: a name is pinned to its digest once, as by ``docker``.

Else each node would take the name for what its registry says at that moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _registry
from ansible_collections.davit.fleet.plugins.module_utils._archive import normal
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import EngineError

_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True)
class Pinned:
    """What a registry says. platforms: those that have it, as in a service's placement.

    digest: empty when no registry told it. problem: why not.
    """

    digest: str = ""
    platforms: tuple[tuple[str, str], ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Choice:
    """platforms: None for those that the service has already."""

    name: str
    platforms: list[dict[str, str]] | None = None


def asks(options: dict[str, Any], shown: str) -> bool:
    """Whether a registry has to be asked. shown: the service's image, empty for a new one."""
    wanted, when = options["image"], options["resolve_image"]
    if not wanted or "@" in wanted or _ID.fullmatch(wanted) or when == "never":
        return False
    return bool(when == "always" or not _same(wanted, shown))


def ask(engine: Engine, name: str, auth: _registry.Auth) -> Pinned:
    """Have the engine ask the image's registry."""
    try:
        told = engine.distribution(name, auth)
    except EngineError as error:
        return Pinned(problem=str(_registry.explain(error, name, auth)))
    found = [(one.get("architecture") or "", one["os"]) for one in told.get("Platforms") or []]
    # Nodes with ARM say their variant as part of it, so nothing would match.
    platforms = tuple(("" if arch == "arm" else arch, system) for arch, system in found if system)
    return Pinned(str(told["Descriptor"]["digest"]), platforms)


def choose(options: dict[str, Any], shown: str, pinned: Pinned | None) -> Choice:
    """shown: as in :func:`asks`. pinned: the answer, None when nobody was asked."""
    wanted = options["image"]
    if _ID.fullmatch(wanted):
        return Choice(wanted) if wanted == shown else Choice(wanted, [])
    name = normal(wanted)
    if "@" in wanted or options["resolve_image"] == "never":
        return Choice(name) if name == shown else Choice(name, [])
    if pinned is not None and pinned.digest:
        platforms = [{"Architecture": arch, "OS": system} for arch, system in pinned.platforms]
        return Choice(f"{name}@{pinned.digest}", platforms)
    # When no registry answers, what is pinned already stays so.
    return Choice(shown) if _same(wanted, shown) else Choice(name, [])


def doubt(wanted: str, shown: str, pinned: Pinned) -> str:
    """What to tell when no registry has answered. shown: as in :func:`asks`."""
    follows = "each node looks for it by itself"
    if _same(wanted, shown) and "@" in shown:
        follows = "it stays pinned as it is"
    return f"image {wanted}: its digest is not known, so {follows}: {pinned.problem}"


def _same(wanted: str, shown: str) -> bool:
    """Whether it has the same tag, whatever its digest."""
    return bool(shown) and normal(shown.partition("@")[0]) == normal(wanted)
