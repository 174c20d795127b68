# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: refuse options that the engine's API does not know; it would drop them without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container import endpoints, network
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import ROWS
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Version

_PLATFORM = (1, 41)


def check(options: dict[str, Any], version: Version, host: str) -> None:
    """version: what the engine and we have agreed on. host: where it is. Raises Invalid."""
    for option, since in needs(options):
        if version < since:
            raise Invalid(
                f"{option}: unsupported by the engine on {host}: needs API {_dotted(since)}, "
                f"it speaks {_dotted(version)}"
            )


def needs(options: dict[str, Any]) -> Iterator[tuple[str, Version]]:
    """What is given and not known to every API, with the oldest one that knows it."""
    if options.get("platform"):
        yield "platform", _PLATFORM
    for row in ROWS:
        value = options.get(row.name)
        if value is None:
            continue
        if "" in row.since:
            yield row.name, row.since[""]
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _parts(f"{row.name}[{index}]", item, row.since)
        else:
            yield from _parts(row.name, value, row.since)
    for index, item in enumerate(endpoints.wanted(options)):
        yield from _parts(f"networks[{index}]", item, network.ENDPOINT)


def _parts(path: str, value: Any, since: dict[str, Version]) -> Iterator[tuple[str, Version]]:
    for key, version in since.items():
        part, sep, choice = key.partition("=")
        given = value.get(part) if part and isinstance(value, dict) else None
        if given == choice if sep else given:
            yield f"{path}.{key}", version


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
