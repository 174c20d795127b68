# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""The plan for whole swarms, for the role swarm."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._swarm import moves, topology
from ansible_collections.davit.fleet.plugins.module_utils._swarm.membership import Host

DOCUMENTATION = r"""
name: swarm_plan
short_description: Plan how hosts become the declared swarms
version_added: 0.1.0
description:
  - Compares declared swarms with what their hosts are, and returns the steps between the two in
    the safe order.
  - Role C(davit.fleet.swarm) carries them out. By itself it changes nothing.
author:
  - The davit authors (@davit)
options:
  _input:
    description: The swarms, as role C(davit.fleet.swarm) has them in C(davit_swarm_topology).
    type: list
    elements: dict
    required: true
  variables:
    description: C(hostvars), for what each host declares of itself.
    type: dict
    required: true
  hosts:
    description: Hosts that leave a declared swarm when they are not declared in it.
    type: list
    elements: str
    required: true
  facts:
    description: What M(davit.fleet.swarm_info) has returned, or why it has not, by host.
    type: dict
    required: true
  wishes:
    description:
      - Lists C(dead), C(take_over), C(recover), C(rotate) and C(keys), as the role's variables
        say.
    type: dict
    required: true
  foretell:
    description:
      - Whether to return steps, too, that need what earlier ones bring. A real run takes them in
        another round.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ topology | davit.fleet.swarm_plan(hostvars, ansible_play_hosts_all, facts, {}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(waves), lists of steps for M(davit.fleet.swarm_step); the steps of one may run at the same
      time. C(again) tells whether to plan anew after them, C(silent) lists hosts that do not
      answer, C(notes) what somebody should know.
    - C(refused) tells why there is no plan, and is empty where there is one.
  type: dict
"""


def swarm_plan(given, variables, hosts, facts, wishes, foretell=False):
    """Return the plan as a dictionary."""
    try:
        swarms = topology.declared(_validated(given), set(variables))
        names = {name for swarm in swarms for name in swarm.hosts} | set(hosts)
        seen = {name: _host(name, variables[name], facts.get(name)) for name in names}
        asked = topology.Wishes(**{key: tuple(value) for key, value in wishes.items()})
        return {"refused": "", **moves.plan(swarms, seen, asked).shown(foretell)}
    except FleetError as error:
        return {"refused": str(error), **moves.Plan().shown()}


def _validated(given):
    validator = ArgumentSpecValidator(topology.ARGUMENTS)
    checked = []
    for index, item in enumerate(given):
        result = validator.validate(item)
        if result.error_messages:
            raise Invalid(f"davit_swarm_topology[{index}]: {'; '.join(result.error_messages)}")
        checked.append(result.validated_parameters)
    return checked


def _host(name, variables, result):
    local = {key: variables.get(f"davit_swarm_{key}") for key in topology.LOCAL}
    topology.check_local(name, local)
    if result and "node" in result:
        return Host(name, result, local=local)
    return Host(name, problem=str((result or {}).get("msg") or "not asked"), local=local)


class FilterModule:
    def filters(self):
        return {"swarm_plan": swarm_plan}
