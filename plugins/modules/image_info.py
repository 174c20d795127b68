#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.image_info"""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Tell about images
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Returns what the engine shows of images.
extends_documentation_fragment:
  - davit.fleet.engine
attributes:
  diff_mode:
    support: N/A
    details: Nothing is changed.
options:
  names:
    description: References or IDs of the images. By default all that have a name.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Ask for two images
  davit.fleet.image_info:
    names: [shop:1.4, shop:1.5]
  register: shop

- name: Say which of them lack
  ansible.builtin.debug:
    var: shop.missing
"""

RETURN = r"""
images:
  description: The engine's answers to C(/images/NAME/json), in the order of the names.
  returned: success
  type: list
  elements: dict
missing:
  description: Those of O(names) that are not there.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.davit.fleet.plugins.module_utils import _image_plan, _module
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError


def main() -> None:
    module = _module.make({"names": {"type": "list", "elements": "str"}})
    engine = _module.engine(module)
    try:
        names = _names(engine) if module.params["names"] is None else module.params["names"]
        answers = {name: _image_plan.find(engine, name) for name in names}
    except FleetError as error:
        module.fail_json(msg=str(error))
    finally:
        engine.close()
    module.exit_json(
        changed=False,
        images=[found for found in answers.values() if found is not None],
        missing=[name for name, found in answers.items() if found is None],
    )


def _names(engine: Engine) -> list[str]:
    """One ID for each image with a name."""
    return [
        image["Id"]
        for image in engine.get("images", "json")
        # Older engines say that a name is none.
        if any(name != "<none>:<none>" for name in image["RepoTags"] or [])
    ]


if __name__ == "__main__":
    main()
