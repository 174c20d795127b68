# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: the options of a container that not every engine's API knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _support
from ansible_collections.davit.fleet.plugins.module_utils._container import endpoints, network
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import ROWS
from ansible_collections.davit.fleet.plugins.module_utils._fields import Version

_PLATFORM = (1, 41)


def check(options: dict[str, Any], version: Version, host: str) -> None:
    """version: what the engine and we have agreed on. host: where it is. Raises Invalid."""
    _support.check(needs(options), version, host)


def needs(options: dict[str, Any]) -> Iterator[tuple[str, Version]]:
    """What is given and not known to every API, with the oldest one that knows it."""
    if options.get("platform"):
        yield "platform", _PLATFORM
    yield from _support.needs(ROWS, options)
    for index, item in enumerate(endpoints.wanted(options)):
        yield from _support.parts(f"networks[{index}]", item, network.ENDPOINT)
