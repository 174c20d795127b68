#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.config"""

from __future__ import annotations

DOCUMENTATION = r"""
module: config
short_description: Declare a config of a swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Makes or removes a config, and gives it other content. Runs on a manager.
  - A swarm never changes the content of a config. So the name stands for a row of versions, C(NAME_v1) and so on. Other
    content makes a new version, the services that use an earlier one are updated to use the new one, and then earlier
    versions are removed. Content that an earlier version has makes that one the current version again.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  name:
    description: Name of the config.
    type: str
    required: true
  state:
    description:
      - Whether the config is to be there. With V(absent), all of its versions go; it is an error when a service uses one.
    type: str
    choices: [absent, present]
    default: present
  data:
    description: The content. Either this or O(data_file) is needed with O(state=present).
    type: str
  data_file:
    description: Path on the host of a file with the content.
    type: path
  data_is_base64:
    description: Whether the content is given in base64, for one that is no text.
    type: bool
    default: false
  versioned:
    description:
      - Whether the name stands for versions.
      - With V(false) there is one config of exactly this name. Other content makes it anew, which is an error while services
        use it.
    type: bool
    default: true
  keep_versions:
    description:
      - How many versions to keep besides the current one.
      - A service can only be rolled back while the version that it used before is there.
    type: int
    default: 1
  update_services:
    description:
      - Whether services go over to the new version. Each does so by its own update settings, and is not waited for.
      - With V(false), versions that services use stay.
    type: bool
    default: true
  template_driver:
    description: How the content is filled in for each task, as it is by default.
    type: str
    choices: [golang]
  labels:
    description: Labels of the config. They can be changed without a new version.
    type: dict
"""

EXAMPLES = r"""
- name: Configure the web servers
  davit.fleet.config:
    name: nginx
    data: "{{ lookup('template', 'nginx.conf.j2') }}"
    labels:
      tier: front
"""

RETURN = r"""
config:
  description: The current version. Its ID is empty when it is yet to be made, in check mode.
  returned: success
  type: dict
  sample: {"name": "nginx_v2", "id": "afkma8nxsq2ky2mxihsb8t0sy"}
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "config", "name": "nginx_v2", "reason": "nginx_v1 has other content"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils._swarm import content_apply
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import CONFIG


def main() -> None:
    content_apply.main(CONFIG)


if __name__ == "__main__":
    main()
