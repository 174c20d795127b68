#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.login"""

from __future__ import annotations

DOCUMENTATION = r"""
module: login
short_description: Declare a login at a registry
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Keeps username and password for a registry on the host, where M(davit.fleet.image), M(davit.fleet.workload),
    M(davit.fleet.image_push), M(davit.fleet.image_build) and Docker's programs find them.
  - The engine asks the registry first, also in check mode; what the registry refuses is not kept.
extends_documentation_fragment:
  - davit.fleet.engine
  - davit.fleet.registry
options:
  registry:
    description: The registry, V(host[:port]).
    type: str
    default: docker.io
  state:
    description: Whether the login is to be kept.
    type: str
    choices: [absent, present]
    default: present
  username:
    description: Who to be at the registry. Needed with O(state=present).
  password:
    description:
      - Password or token of O(username). Needed with O(state=present).
      - It is kept readable, for the file's owner only.
  verify:
    description: Whether to ask the registry. Otherwise the engine need not be there.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Log in
  davit.fleet.login:
    registry: registry.example.org
    username: captain
    password: "{{ registry_password }}"

- name: Log out
  davit.fleet.login:
    registry: registry.example.org
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "login", "name": "registry.example.org"}]
login_file:
  description: The file that keeps it.
  returned: success
  type: str
  sample: /root/.docker/config.json
"""

from ansible_collections.davit.fleet.plugins.module_utils import _login_plan, _module, _registry
from ansible_collections.davit.fleet.plugins.module_utils._client import AbsentEngine, Engine
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action


def main() -> None:
    module = _module.make(_login_plan.ARGUMENTS)
    options = _module.options(module, _login_plan.ARGUMENTS)
    path = _registry.login_file(options)

    def plan(engine: Engine) -> list[Action]:
        token = ""
        if options["state"] == "present" and not isinstance(engine, AbsentEngine):
            token = _login_plan.check(engine, options)
        return _login_plan.plan(options, _registry.read(path), token)

    def apply(_engine: Engine, action: Action) -> dict[str, object]:
        _login_plan.apply(action, path, _registry.read(path))
        return {}

    _module.act(module, plan, apply, {"login_file": path})


if __name__ == "__main__":
    main()
