#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.swarm_info"""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_info
short_description: Tell about a swarm and a host's part in it
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Returns what a host is in a swarm, and on a manager the swarm itself and lists of what is in it.
  - Whoever knows a join token can join the swarm. So tokens and the unlock key are only returned when asked for;
    set C(no_log) on such a task, or Ansible prints them.
extends_documentation_fragment:
  - davit.fleet.engine
attributes:
  diff_mode:
    support: N/A
    details: Nothing is changed.
options:
  objects:
    description: Which lists to return, too. They are empty but on a manager.
    type: list
    elements: str
    choices: [configs, nodes, secrets, services, tasks]
    default: []
  join_tokens:
    description: Whether to return the tokens by which others join the swarm.
    type: bool
    default: false
  unlock_key:
    description: Whether to return the key that unlocks a manager which has been started anew.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask who is in the swarm
  davit.fleet.swarm_info:
    objects: [nodes]
  register: swarm

- name: Fetch the token for workers
  davit.fleet.swarm_info:
    join_tokens: true
  no_log: true
  register: manager
"""

RETURN = r"""
node:
  description: What this host is.
  returned: success
  type: dict
  contains:
    state:
      description: V(inactive) in no swarm, V(pending) while it joins, V(active), V(locked), or V(error).
      type: str
    role:
      description: V(none), V(worker) or V(manager).
      type: str
    id:
      description: The node's ID.
      type: str
    address:
      description: The address that the other nodes know it by.
      type: str
    error:
      description: What is wrong, in the engine's words; also that the swarm has no leader.
      type: str
    engine:
      description: V(davit) or V(moby).
      type: str
    managers:
      description: IDs and addresses of the managers that it knows.
      type: list
      elements: dict
  sample: {"state": "active", "role": "worker", "id": "g5ifebob88bxmf1o9qs3fvpo5", "address": "10.0.0.5", "error": "",
    "engine": "davit",
    "managers": [{"id": "1x47pmjyvt27dk3tdjkeuqj5l", "address": "10.0.0.2:2377"}]}
cluster:
  description: The answer to C(/swarm), without the tokens; null but on a manager of a swarm with a leader.
  returned: success
  type: dict
join_tokens:
  description: The tokens, by the role that they give.
  returned: on a manager, when asked for
  type: dict
unlock_key:
  description: The key, empty when managers do not lock.
  returned: on a manager, when asked for
  type: str
nodes:
  description: The nodes.
  returned: when asked for
  type: list
  elements: dict
services:
  description: The services.
  returned: when asked for
  type: list
  elements: dict
tasks:
  description: The tasks of the services, with those that have ended.
  returned: when asked for
  type: list
  elements: dict
secrets:
  description: The secrets, without their content.
  returned: when asked for
  type: list
  elements: dict
configs:
  description: The configs.
  returned: when asked for
  type: list
  elements: dict
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import info


def main() -> None:
    module = _module.make(
        {
            "objects": {
                "type": "list",
                "elements": "str",
                "choices": list(info.OBJECTS),
                "default": [],
            },
            # Whether to return them: no secrets themselves.
            "join_tokens": {"type": "bool", "default": False, "no_log": False},
            "unlock_key": {"type": "bool", "default": False, "no_log": False},
        }
    )
    wanted = module.params
    try:
        facts = info.ask(
            _module.connect(module), wanted["objects"], wanted["join_tokens"], wanted["unlock_key"]
        )
    except FleetError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
