# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""How rows of a service are made; some are those of a container at another place.

Unlike a container, a service can be changed by hand in everything but its name and mode. So each
row is compared with what the engine shows, and written where it differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container.plan import (
    ROWS as OF_CONTAINERS,
)
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._units import duration

TASK = "TaskTemplate"
CONTAINER = f"{TASK}.ContainerSpec"

_CONTAINER_ROWS = {row.name: row for row in OF_CONTAINERS}


def _always(value: Any) -> bool:
    return True


def _no_image(config: dict[str, Any]) -> Any:
    return None


def row(name: str, kind: str, path: str, **more: Any) -> Field:
    """kind: the option's type, and behind a slash that of its elements."""
    main, _slash, elements = kind.partition("/")
    spec = {"type": main, "elements": elements} if elements else {"type": main}
    return Field(name, spec, path, live=_always, **more)


def group(name: str, options: dict[str, Any], path: str, **more: Any) -> Field:
    """A dictionary of options. options: by name their types, or whole argument_specs."""
    specs = {
        key: {"type": kind} if isinstance(kind, str) else kind for key, kind in options.items()
    }
    spec = {"type": "dict", "options": specs}
    return Field(name, spec, path, live=_always, **more)


def shared(name: str, path: str, **more: Any) -> Field:
    """A container's option; a service's specification holds nothing of its image."""
    # What is not given any more is taken out.
    changed = {"entries": False, "from_image": _no_image, "default": None, "since": {}, **more}
    return replace(_CONTAINER_ROWS[name], path=path, live=_always, **changed)


def since(name: str) -> dict[str, Any]:
    """What a container's option says of the APIs that know its parts."""
    return {key: value for key, value in _CONTAINER_ROWS[name].since.items() if key}


def time(value: dict[str, Any], key: str, default: int) -> int:
    """Nanoseconds of a suboption. default: what holds when it is not given."""
    return default if value.get(key) is None else duration(value[key])
