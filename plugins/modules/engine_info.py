#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.engine_info"""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: Tell about an engine and what is on it
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Returns version and settings of an engine, and lists of its containers, images, networks and volumes.
extends_documentation_fragment:
  - davit.fleet.engine
attributes:
  diff_mode:
    support: N/A
    details: Nothing is changed.
options:
  objects:
    description: Which lists to return, too.
    type: list
    elements: str
    choices: [containers, images, networks, volumes]
    default: []
"""

EXAMPLES = r"""
- name: Ask what runs
  davit.fleet.engine_info:
    objects: [containers]
  register: engine
"""

RETURN = r"""
version:
  description: The engine's answer to C(/version).
  returned: success
  type: dict
info:
  description: The engine's answer to C(/info).
  returned: success
  type: dict
containers:
  description: All containers, also those that do not run.
  returned: when asked for
  type: list
  elements: dict
images:
  description: All images.
  returned: when asked for
  type: list
  elements: dict
networks:
  description: All networks.
  returned: when asked for
  type: list
  elements: dict
volumes:
  description: All volumes.
  returned: when asked for
  type: list
  elements: dict
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError

LISTS = {
    "containers": lambda engine: engine.get("containers", "json", all=True),
    "images": lambda engine: engine.get("images", "json"),
    "networks": lambda engine: engine.get("networks"),
    "volumes": lambda engine: engine.get("volumes")["Volumes"] or [],
}


def main() -> None:
    module = _module.make(
        {"objects": {"type": "list", "elements": "str", "choices": sorted(LISTS), "default": []}}
    )
    try:
        facts = _ask(_module.engine(module), module.params["objects"])
    except FleetError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


def _ask(engine: Engine, objects: list[str]) -> dict[str, object]:
    facts = {"version": engine.get("version"), "info": engine.get("info")}
    return {**facts, **{name: LISTS[name](engine) for name in objects}}


if __name__ == "__main__":
    main()
