# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Pure: the networks a container is on and those that it is to be on → actions, all live."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container import network
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

# The engine puts a container there when nobody names a network.
_PREDEFINED = {"bridge", "host", "none", "podman"}


def wanted(options: dict[str, Any]) -> list[dict[str, Any]]:
    """The declared networks, each as a dictionary. Raises Invalid."""
    items = []
    for index, given in enumerate(options.get("networks") or []):
        item = {"name": given} if isinstance(given, str) else given
        if not isinstance(item, dict) or not item.get("name"):
            raise Invalid(f"networks[{index}]: a name, or a dictionary with a name, is needed")
        unknown = sorted(set(item) - set(network.ENDPOINT))
        if unknown:
            raise Invalid(
                f"networks[{index}].{unknown[0]}: unknown; known are {', '.join(network.ENDPOINT)}"
            )
        wrong = network.check(item)
        if wrong:
            raise Invalid(f"networks[{index}].{wrong}")
        items.append(item)
    return items


def surplus(found: dict[str, Any]) -> list[str]:
    """Networks that a container without declared networks should not be on.

    They were joined live, by an earlier declaration or by hand, so no label tells of them.
    """
    mode = found["HostConfig"].get("NetworkMode") or "default"
    shown = found["NetworkSettings"].get("Networks") or {}
    return sorted(set(shown) - {mode} - _PREDEFINED)


def plan(name: str, found: dict[str, Any], items: list[dict[str, Any]]) -> list[Action]:
    """Join before leaving, so that the container is never without a network."""
    shown = found["NetworkSettings"].get("Networks") or {}
    own = {found["Id"][:12], found["Id"], name, found["Name"].lstrip("/")}
    actions = []
    for item in items:
        present = shown.get(item["name"])
        if present is not None and not network.fits(item, present, own):
            actions.append(leave(name, found, item["name"]))
            present = None
        if present is None:
            actions.append(
                Action(
                    "container",
                    "connect",
                    name,
                    f"to {item['name']}",
                    {},
                    {f"networks.{item['name']}": item},
                    {"id": found["Id"], "endpoint": item},
                )
            )
    extras = set(shown) - {item["name"] for item in items}
    return actions + [leave(name, found, extra) for extra in sorted(extras)]


def leave(name: str, found: dict[str, Any], network_name: str) -> Action:
    return Action(
        "container",
        "disconnect",
        name,
        f"from {network_name}",
        {f"networks.{network_name}": "connected"},
        {f"networks.{network_name}": None},
        {"id": found["Id"], "network": network_name},
    )
