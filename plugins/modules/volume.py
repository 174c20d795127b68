#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.volume"""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: Declare a volume
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Makes or removes a volume. One that is there already stays as it is.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  name:
    description: Name of the volume.
    type: str
    required: true
  state:
    description: Whether the volume is to be there.
    type: str
    choices: [absent, present]
    default: present
  driver:
    description: Volume driver, V(local) by default.
    type: str
  driver_options:
    description: Options for the driver.
    type: dict
  labels:
    description: Labels of the volume.
    type: dict
  recreate:
    description:
      - Whether to delete a volume that has another driver, options or labels B(with its data), and make it anew.
      - Otherwise such a difference is an error, as a volume cannot be changed in place.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep the database's files
  davit.fleet.volume:
    name: pgdata
    labels:
      backup: nightly
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "volume", "name": "pgdata"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._volume_plan import ARGUMENTS


def main() -> None:
    module = _module.make(ARGUMENTS)
    _module.run(module, lambda: {"volumes": [_module.options(module, ARGUMENTS)]})


if __name__ == "__main__":
    main()
