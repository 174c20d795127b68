#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.image"""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Declare an image
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Brings an image to a host, or removes it there.
  - An archive on the controller is read there, and sent only when the host lacks its image.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.registry
options:
  name:
    description:
      - Reference of the image, V(repository:tag). Without a tag it is V(latest).
      - V(repository@sha256:…) pins it; such an image is never asked for again.
    type: str
    required: true
  state:
    description: Whether the image is to be there.
    type: str
    choices: [absent, present]
    default: present
  source:
    description:
      - Where the image comes from.
      - V(controller) and V(host) mean an O(archive) there, as C(docker save) writes it or an OCI layout in a tar.
      - V(registry) pulls it. V(local) means that it must be on the host already.
    type: str
    choices: [controller, host, local, registry]
    default: registry
  archive:
    description: Path of the archive. On the controller it is looked for as files of other tasks are.
    type: path
  archive_ids:
    description: IDs of the image in the archive. Set by the module's action plugin, not by you.
    type: list
    elements: str
  archive_layers:
    description: Layers of the image in the archive. Set by the module's action plugin, not by you.
    type: list
    elements: str
  archive_parts:
    description: Files on the host that make up the archive. Set by the module's action plugin, not by you.
    type: list
    elements: str
  pull:
    description:
      - When to go to the registry, with O(source=registry).
      - V(missing) pulls an image that is not there. V(always) asks the registry each time what it has, in check
        mode, too, and pulls when that is another one. V(never) means that it must be on the host already.
    type: str
    choices: [always, missing, never]
    default: missing
  platform:
    description:
      - For what the image must be, V([os/]architecture[/variant]), as in V(linux/arm64). By default what the engine
        runs on, and any that is there.
      - An image on the host that is for another one is replaced with O(source=registry), and an error with
        O(source=local) or O(pull=never). An archive has the one image that it has.
    type: str
  force:
    description: With O(state=absent), remove the image even when it has other tags or stopped containers use it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Bring an image that the build has left on the controller
  davit.fleet.image:
    name: shop:1.4
    source: controller
    archive: build/shop-1.4.tar

- name: Follow a tag that moves
  davit.fleet.image:
    name: registry.example.org/shop:stable
    pull: always
    username: fleet
    password: "{{ registry_password }}"

- name: Remove an old one
  davit.fleet.image:
    name: shop:1.2
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "load", "kind": "image", "name": "shop:1.4"}]
images_sent:
  description: With O(source=controller), what went over the network. Layers that the host has stay behind, and so do
    parts that an earlier try has left there.
  returned: when an image was sent
  type: list
  elements: dict
  sample: [{"name": "shop:1.4", "layers": 1, "bytes": 734003}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._image_plan import ARGUMENTS


def main() -> None:
    module = _module.make(ARGUMENTS)
    _module.run(module, lambda: {"images": [_module.options(module, ARGUMENTS)]})


if __name__ == "__main__":
    main()
