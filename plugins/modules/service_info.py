#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.service_info"""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Tell about services of a swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Returns what a swarm's services are to be, what they are, and their tasks with those that have ended. Runs on a
    manager.
  - A service's environment is part of what is returned. Set C(no_log) on the task when there are passwords in it.
extends_documentation_fragment:
  - davit.fleet.engine
attributes:
  diff_mode:
    support: N/A
    details: Nothing is changed.
options:
  names:
    description: Names or IDs of the services. By default all.
    type: list
    elements: str
    aliases: [name]
"""

EXAMPLES = r"""
- name: Ask for the shop
  davit.fleet.service_info:
    name: web
  register: shop

- name: Say what is wrong with it
  ansible.builtin.debug:
    msg: "{{ shop.services[0].tasks | selectattr('error') | map(attribute='error') | unique }}"

- name: Stop here unless all services of the swarm run as they should
  davit.fleet.service_info:
  register: all
  failed_when: all.services | rejectattr('converged')
"""

RETURN = r"""
services:
  description: The services, in the order of O(names), or of their names.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: ID of the service.
      type: str
    name:
      description: Its name.
      type: str
    image:
      description: Image of its tasks, with the digest when it is pinned.
      type: str
    mode:
      description: V(replicated), V(global), V(replicated-job) or V(global-job).
      type: str
    replicas:
      description: How many tasks there are to be; null when that is one on each node.
      type: int
    ports:
      description: The ports under which it can be reached.
      type: list
      elements: dict
    converged:
      description: Whether all its tasks are as they should be, and no update has stopped.
      type: bool
    progress:
      description: How far it is, in words.
      type: str
    update:
      description: State of its last update, such as V(updating), V(completed), V(paused) or V(rollback_completed).
      type: str
    update_status:
      description: That state in the manager's words, with when it began and ended; empty when it was never updated.
      type: dict
    spec:
      description: The manager's C(Spec), what the service is to be.
      type: dict
    previous_spec:
      description: The manager's C(PreviousSpec), what a rollback brings back; null when there is none.
      type: dict
    endpoint:
      description: The manager's C(Endpoint) with ports and virtual addresses.
      type: dict
    created:
      description: When it was made.
      type: str
    updated:
      description: When it was last changed.
      type: str
    version:
      description: The number that each change of it raises.
      type: int
    tasks:
      description: Its tasks, those of each place together, the newest first.
      type: list
      elements: dict
      contains:
        id:
          description: ID of the task.
          type: str
        name:
          description: The service's name with the slot, or with the node of a global service.
          type: str
        slot:
          description: The slot of a replicated service, else 0.
          type: int
        node:
          description: Host name of its node; empty as long as it has none.
          type: str
        node_id:
          description: ID of that node.
          type: str
        image:
          description: Its image.
          type: str
        state:
          description: How far it is, such as V(pending), V(preparing), V(running), V(failed) or V(rejected).
          type: str
        desired_state:
          description: How far it is to be.
          type: str
        since:
          description: Since when it is so.
          type: str
        message:
          description: What its node says of that.
          type: str
        error:
          description: What is wrong with it.
          type: str
        exit_code:
          description: The exit code of a task that has ended by itself, else null.
          type: int
        container:
          description: ID of its container.
          type: str
        ports:
          description: The ports of its node that it has.
          type: list
          elements: dict
  sample: [{"id": "ojpvuydu53qi", "name": "web", "image": "shop:1.4@sha256:4f5c", "mode": "replicated", "replicas": 1,
    "converged": true, "progress": "1 of 1 tasks run", "update": "", "tasks": [{"name": "web.1", "node": "worker1",
    "image": "shop:1.4@sha256:4f5c", "state": "running", "desired_state": "running", "error": ""}]}]
missing:
  description: Those of O(names) that are not there.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._swarm import run
from ansible_collections.davit.fleet.plugins.module_utils._swarm.service import report


def main() -> None:
    module = _module.make({"names": {"type": "list", "elements": "str", "aliases": ["name"]}})
    engine = _module.connect(module)
    try:
        told = report.ask(run.managed(module, engine), module.params["names"])
    except FleetError as error:
        module.fail_json(msg=str(error))
    finally:
        engine.close()
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
