#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.node"""

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Declare what a node is in its swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Labels, drains, promotes and demotes the nodes of a swarm, and removes them. Runs on a manager.
  - A step after which the managers could not decide any more (quorum) is refused.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  name:
    description: Host name or ID of the node. It is an error when several nodes have that host name.
    type: str
    required: true
  state:
    description:
      - Whether the node is to be in the swarm. With V(present) it has to be there already, as joining is done on its
        host by M(davit.fleet.swarm).
      - With V(absent), a manager is demoted before it is removed.
    type: str
    choices: [absent, present]
    default: present
  labels:
    description: Labels of the node. One without a value is taken off.
    type: dict
  labels_mode:
    description: Whether labels that are not given stay (V(merge)) or go (V(replace)).
    type: str
    choices: [merge, replace]
    default: merge
  availability:
    description:
      - Whether the node gets tasks (V(active)), only keeps those that it has (V(pause)), or gives them up (V(drain)).
      - Draining is done when the last task on the node has ended.
    type: str
    choices: [active, drain, pause]
  role:
    description: What the node is to be. A node with davit as its engine is a worker only.
    type: str
    choices: [manager, worker]
  force:
    description:
      - Whether to remove a node that is not down. It is drained first. Its host then has to leave, too.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for tasks to end, and for a role to take effect.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Tell where the fast disks are
  davit.fleet.node:
    name: worker3
    labels:
      disk: nvme

- name: Take a host out of service
  davit.fleet.node:
    name: worker3
    availability: drain

- name: Forget a manager that will not come back
  davit.fleet.node:
    name: manager2
    state: absent
"""

RETURN = r"""
node:
  description: The node, as it is now; null when there is none.
  returned: success
  type: dict
  sample: {"id": "g5ifebob88bxmf1o9qs3fvpo5", "hostname": "worker3", "role": "worker", "availability": "active",
    "labels": {"disk": "nvme"}, "state": "ready", "address": "10.0.0.5"}
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "update", "kind": "node", "name": "worker3"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._swarm import nodes, nodes_apply, run


def main() -> None:
    module = _module.make(nodes.ARGUMENTS)
    options = _module.options(module, nodes.ARGUMENTS)

    def decide(engine):
        manager = run.managed(module, engine)
        asked = run.membership(engine).get("NodeID", "")
        return nodes.plan(options, manager.get("nodes") or [], asked)

    def apply(engine, action):
        nodes_apply.apply(engine, action, options["wait_timeout"])

    def tell(engine, actions):
        # Who has demoted itself is not told any more.
        if not run.is_manager(run.membership(engine)):
            return {"node": None}
        found = nodes.find(engine.get("nodes"), options["name"])
        return {"node": nodes.summary(found) if found else None}

    run.finish(module, decide, apply, tell)


if __name__ == "__main__":
    main()
