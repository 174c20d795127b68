#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.workload"""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload
short_description: Declare all that runs on a host, in one call
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Brings images, networks, volumes and containers into the declared state, in the order of their dependencies.
  - It is one run of one module on the host, whatever the number of objects.
  - Compares what is declared with what was applied last and with what is. An option that has left the
    playbook is reverted, and what was changed by hand is repaired.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  project:
    description: Name of the workload. Objects made for it carry it as a label.
    type: str
    required: true
  images:
    description: Images, each with the options of M(davit.fleet.image).
    type: list
    elements: dict
    default: []
  networks:
    description: Networks, each with the options of M(davit.fleet.network).
    type: list
    elements: dict
    default: []
  volumes:
    description: Volumes, each with the options of M(davit.fleet.volume).
    type: list
    elements: dict
    default: []
  containers:
    description: Containers, each with the options of M(davit.fleet.container).
    type: list
    elements: dict
    default: []
  prune:
    description:
      - Whether to remove the containers, networks and volumes that were made for this project and are
        not declared any more.
      - What the project does not own is never touched.
    type: bool
    default: false
  keep_volumes:
    description: Whether O(prune) spares volumes, and so the data in them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Run the shop
  davit.fleet.workload:
    project: shop
    images:
      - name: shop:1.4
        source: controller
        archive: build/shop-1.4.tar
    networks:
      - name: shop
    volumes:
      - name: orders
    containers:
      - name: web
        image: shop:1.4
        networks: [shop]
        volumes: [orders:/var/lib/orders]
        published_ports: ["80:8080"]
        memory: 256M
        restart_policy: unless-stopped
    prune: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, in this order.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "container", "name": "web"}]
remaining:
  description: When an action failed, what was not done; RV(actions) then tells what was.
  returned: failure in the middle
  type: list
  elements: dict
images_sent:
  description: What images of the controller cost in bytes on the network, see M(davit.fleet.image).
  returned: when an image was sent
  type: list
  elements: dict
  sample: [{"name": "shop:1.4", "layers": 1, "bytes": 734003}]
containers:
  description: The declared containers as they are now.
  returned: success
  type: list
  elements: dict
  sample:
    - name: web
      id: 4c01db0b339c
      state: running
      image: shop:1.4
      addresses: {"shop": "10.80.0.2"}
      ports: {"8080/tcp": ["0.0.0.0:80"]}
"""

from ansible_collections.davit.fleet.plugins.module_utils import (
    _image_plan,
    _module,
    _network_plan,
    _volume_plan,
)
from ansible_collections.davit.fleet.plugins.module_utils._container import plan as _container

KINDS = {
    "images": _image_plan.ARGUMENTS,
    "networks": _network_plan.ARGUMENTS,
    "volumes": _volume_plan.ARGUMENTS,
    "containers": _container.ARGUMENTS,
}


def main() -> None:
    objects = {kind: {"type": "list", "elements": "dict", "default": []} for kind in KINDS}
    module = _module.make(
        {
            "project": {"type": "str", "required": True},
            **objects,
            "prune": {"type": "bool", "default": False},
            "keep_volumes": {"type": "bool", "default": False},
        }
    )

    def declare() -> dict[str, list[dict[str, object]]]:
        return {
            kind: _module.validate(module, kind, arguments, module.params[kind])
            for kind, arguments in KINDS.items()
        }

    _module.run(
        module,
        declare,
        module.params["project"],
        prune=module.params["prune"],
        keep_volumes=module.params["keep_volumes"],
    )


if __name__ == "__main__":
    main()
