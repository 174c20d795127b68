#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.swarm_step: documentation of the action plugin"""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_step
short_description: Carry out one step of a plan for swarms
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Runs the module that a step of the filter P(davit.fleet.swarm_plan#filter) names, with the options that it has.
  - For role C(davit.fleet.swarm); what a host is to be in a swarm, M(davit.fleet.swarm) declares.
options:
  step:
    description: The step.
    type: dict
    required: true
  engine:
    description: Options of M(davit.fleet.swarm) that tell where the engine is.
    type: dict
    default: {}
  keys:
    description: What M(davit.fleet.swarm_info) on a manager has returned, with the keys that the step needs.
    type: dict
    default: {}
attributes:
  action:
    description: Runs on the controller, and a module on the host.
    support: full
  check_mode:
    description: Tells what the plan says.
    support: full
  diff_mode:
    description: Tells what changes, field by field.
    support: full
"""

EXAMPLES = r"""
- name: Ask a host what it is
  davit.fleet.swarm_step:
    step:
      module: swarm_info
      options: {}
"""

RETURN = r"""
node:
  description: What the module returns of the host or the node.
  returned: success, but in check mode
  type: dict
actions:
  description: What was done.
  returned: success, but in check mode
  type: list
  elements: dict
"""
