#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.image_push"""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Push an image to its registry
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Pushes an image of the host, unless its registry has it under that name already.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.registry
options:
  name:
    description: Reference in the registry, V(registry/repository:tag). Without a tag it is V(latest).
    type: str
    required: true
  image:
    description: Image of the host that is to have that name, a reference or an ID. By default the one that has it.
    type: str
"""

EXAMPLES = r"""
- name: Push what was built
  davit.fleet.image_push:
    name: registry.example.org/shop:1.4
    image: shop:1.4
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "push", "kind": "image", "name": "registry.example.org/shop:1.4"}]
digest:
  description: The image's digest in the registry.
  returned: when it was pushed, or was there
  type: str
  sample: sha256:0d5e7e6f4f1c2a9b8d7c6b5a49382716050f4e3d2c1b0a99887766554433221
"""

from ansible_collections.davit.fleet.plugins.module_utils import _image_plan, _module, _push_plan
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action


def main() -> None:
    module = _module.make(_push_plan.ARGUMENTS)
    options = _module.options(module, _push_plan.ARGUMENTS)
    result: dict[str, object] = {}

    def plan(engine: Engine) -> list[Action]:
        named = _image_plan.find(engine, options["name"])
        image = _image_plan.find(engine, options["image"]) if options["image"] else named
        if image is None and not module.check_mode:
            raise FleetError(f"image {options['image'] or options['name']} is not on the host")
        remote = None if image is None else _push_plan.remote(engine, options)
        actions = _push_plan.plan(options, image, named, remote)
        if not any(action.verb == "push" for action in actions):
            result["digest"] = remote
        return actions

    _module.act(
        module,
        plan,
        lambda engine, action: _push_plan.apply(engine, action, options),
        result,
    )


if __name__ == "__main__":
    main()
