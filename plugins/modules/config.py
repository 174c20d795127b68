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
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.content
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
  description: The newest version. Its ID is empty when it is yet to be made, in check mode.
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
