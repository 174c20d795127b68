#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.secret"""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret
short_description: Declare a secret of a swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Makes or removes a secret, and gives it other content. Runs on a manager.
  - No engine gives the content back. It is known again by a slow, salted hash in a label of the secret.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.content
"""

EXAMPLES = r"""
- name: Keep the database's password
  davit.fleet.secret:
    name: db_password
    data: "{{ vault_db_password }}"
  register: db_password

- name: Take it from a file on the manager
  davit.fleet.secret:
    name: tls_key
    data_file: /etc/ssl/private/shop.key
"""

RETURN = r"""
secret:
  description: The newest version. Its ID is empty when it is yet to be made, in check mode.
  returned: success
  type: dict
  sample: {"name": "db_password_v2", "id": "afkma8nxsq2ky2mxihsb8t0sy"}
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "secret", "name": "db_password_v2", "reason": "db_password_v1 has other content"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils._swarm import content_apply
from ansible_collections.davit.fleet.plugins.module_utils._swarm.content import SECRET


def main() -> None:
    content_apply.main(SECRET)


if __name__ == "__main__":
    main()
