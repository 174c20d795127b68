# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: refuse options that the engine's API does not know; it would drop them without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field, Version


def check(needs: Iterable[tuple[str, Version]], version: Version, host: str) -> None:
    """needs: options, with the oldest API that knows each. version: what the engine and we have
    agreed on. host: where it is. Raises Invalid.
    """
    for option, since in needs:
        if version < since:
            raise Invalid(
                f"{option}: unsupported by the engine on {host}: needs API {_dotted(since)}, "
                f"it speaks {_dotted(version)}"
            )


def needs(rows: list[Field], options: dict[str, Any]) -> Iterator[tuple[str, Version]]:
    """What is given and not known to every API, with the oldest one that knows it."""
    for row in rows:
        value = options.get(row.name)
        if value is None:
            continue
        if "" in row.since:
            yield row.name, row.since[""]
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from parts(f"{row.name}[{index}]", item, row.since)
        else:
            yield from parts(row.name, value, row.since)


def parts(path: str, value: Any, since: dict[str, Version]) -> Iterator[tuple[str, Version]]:
    """The same for the suboptions of one value. since: as a row's."""
    for key, version in since.items():
        part, sep, choice = key.partition("=")
        if sep and not part:
            given = value
        else:
            given = value.get(part) if part and isinstance(value, dict) else None
        if given == choice if sep else given:
            yield f"{path}.{key}" if part else f"{path}={choice}", version


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
