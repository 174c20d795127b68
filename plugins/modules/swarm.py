#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.swarm"""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm
short_description: Declare a host's membership in a swarm
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Begins a swarm on a host, lets a host join one, changes the swarm's settings, or lets a host leave.
  - A host that is in another swarm than the declared one is an error, not a success; see O(cluster_id), O(node_ids)
    and O(remote_addrs).
  - Settings that are not given stay as they are.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  state:
    description:
      - Whether the host is to be in a swarm. With V(present) and without O(join_token) it is to be a manager, and begins
        a swarm if it is in none.
      - With V(absent), a manager drains and demotes itself before it leaves. Managers list a host that has left as down
        until M(davit.fleet.node) removes it.
    type: str
    choices: [absent, present]
    default: present
  remote_addrs:
    description:
      - Addresses of managers of the swarm to join, with or without a port.
      - A host that is in a swarm already is in this one if it knows a manager of one of these addresses.
    type: list
    elements: str
  join_token:
    description: Token of the role in which to join. A host that has joined keeps its role; see M(davit.fleet.node).
    type: str
  cluster_id:
    description: ID of the swarm that a manager has to be in.
    type: str
  node_ids:
    description:
      - IDs of the swarm's nodes, as M(davit.fleet.swarm_info) lists them on a manager. A host with another ID is in
        another swarm. This decides in place of O(remote_addrs), whose addresses may belong to a new swarm by now.
    type: list
    elements: str
  rejoin:
    description: Whether a host that is in another swarm, or whose membership is broken, leaves that and joins this one.
    type: bool
    default: false
  force:
    description:
      - Whether a manager may leave though the swarm is lost with it, or without giving up its vote where it cannot.
    type: bool
    default: false
  force_new_cluster:
    description:
      - Whether a manager whose swarm has lost its quorum begins it anew as its only manager. Services, secrets, configs
        and workers stay; the other managers are forgotten, and none of them may come back but by leaving with O(force).
      - Where the swarm has a leader, or elects one within 30 seconds, nothing is done.
      - It keeps the address by which it is known, unless O(advertise_addr) is given. Give O(listen_addr),
        O(data_path_addr) and O(autolock) again if they are not the defaults.
      - Moby cannot do it with a swarm that is autolocked; that is refused.
    type: bool
    default: false
  unlock_key:
    description: Key with which to unlock a locked manager.
    type: str
  advertise_addr:
    description: Address or interface by which the other nodes reach this one, with or without a port.
    type: str
  listen_addr:
    description: Address or interface on which to listen for the other nodes.
    type: str
    default: 0.0.0.0:2377
  data_path_addr:
    description: Address or interface for the traffic of containers, by default that of O(advertise_addr).
    type: str
  availability:
    description: Whether the host gets tasks when it joins. Later that is up to M(davit.fleet.node).
    type: str
    choices: [active, drain, pause]
  default_addr_pool:
    description: Subnets from which global networks get theirs. Only for a new swarm.
    type: list
    elements: str
  subnet_size:
    description: Size of such a network's subnet, as the length of its prefix. Only for a new swarm.
    type: int
  data_path_port:
    description: UDP port for the traffic of containers. Only for a new swarm.
    type: int
  autolock:
    description: Whether a manager that is started anew is locked until somebody brings the key.
    type: bool
  labels:
    description: Labels of the swarm, all of them.
    type: dict
  node_cert_expiry:
    description: How long the nodes' certificates are valid, for example V(720h).
    type: str
  external_cas:
    description:
      - Certificate authorities which sign the nodes' certificates in place of the managers, all of them. An empty list
        has the managers sign again.
    type: list
    elements: dict
    suboptions:
      url:
        description: Where requests for certificates are sent.
        type: str
        required: true
      protocol:
        description: What is spoken there.
        type: str
        choices: [cfssl]
        default: cfssl
      options:
        description: Options of the protocol, names and values.
        type: dict
      ca_cert:
        description: Its root certificate in PEM, for one with another root than the swarm's.
        type: str
  task_history_limit:
    description: How many ended tasks to keep for each that runs.
    type: int
  dispatcher_heartbeat:
    description: How often the nodes tell that they are there, for example V(5s).
    type: str
  snapshot_interval:
    description: After how many entries of its log a manager makes a snapshot.
    type: int
  keep_old_snapshots:
    description: How many snapshots to keep besides the current one.
    type: int
  log_entries_for_slow_followers:
    description: How many entries of the log to keep for slow managers after a snapshot.
    type: int
  election_tick:
    description: After how many ticks without a leader's heartbeat the managers elect another.
    type: int
  heartbeat_tick:
    description: After how many ticks a leader sends a heartbeat.
    type: int
  rotate_worker_token:
    description: Whether to make a new token for workers. The old one is of no use then. This is always a change.
    type: bool
    default: false
  rotate_manager_token:
    description: Whether to make a new token for managers. This is always a change.
    type: bool
    default: false
  rotate_unlock_key:
    description: Whether to make a new key for locked managers. This is always a change.
    type: bool
    default: false
  rotate_ca:
    description:
      - Whether to make a new certificate authority, and with it new tokens and certificates for all nodes. This is always
        a change. It goes on behind the answer, until all nodes have theirs.
    type: bool
    default: false
  return_tokens:
    description:
      - Whether to return tokens and unlock key. Set C(no_log) on such a task, or Ansible prints them.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for a join, a leave, a drained or a demoted node.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Begin a swarm
  davit.fleet.swarm:
    advertise_addr: 10.0.0.2
    task_history_limit: 2
    return_tokens: true
  no_log: true
  register: swarm

- name: Let a worker join
  davit.fleet.swarm:
    remote_addrs: [10.0.0.2]
    join_token: "{{ hostvars['manager1'].swarm.join_tokens.worker }}"

- name: Make the tokens that were seen by others useless
  davit.fleet.swarm:
    rotate_worker_token: true
    rotate_manager_token: true

- name: Begin a swarm anew whose other managers are gone for good
  davit.fleet.swarm:
    force_new_cluster: true

- name: Leave
  davit.fleet.swarm:
    state: absent
"""

RETURN = r"""
node:
  description: What this host is, as M(davit.fleet.swarm_info) tells it.
  returned: success
  type: dict
cluster_id:
  description: The swarm's ID, empty but on a manager.
  returned: success
  type: str
join_tokens:
  description: The tokens, by the role that they give.
  returned: on a manager, with O(return_tokens=true)
  type: dict
unlock_key:
  description: The key, empty when managers do not lock.
  returned: on a manager, with O(return_tokens=true)
  type: str
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "init", "kind": "swarm", "name": "this host"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._swarm import (
    cluster,
    cluster_apply,
    info,
    run,
)
from ansible_collections.davit.fleet.plugins.module_utils._swarm.options import ARGUMENTS


def main() -> None:
    module = _module.make(
        ARGUMENTS,
        required_together=[("join_token", "remote_addrs")],
    )
    options = _module.options(module, ARGUMENTS)
    patience = options["wait_timeout"]

    def decide(engine):
        waits = 0 if module.check_mode else patience
        facts = cluster_apply.ask(engine, options, waits)
        return cluster.plan(options, facts)

    def apply(engine, action):
        cluster_apply.apply(engine, action, patience)

    def tell(engine, actions):
        keys = options["return_tokens"]
        facts = info.ask(engine, [], tokens=keys, unlock_key=keys)
        told = facts.pop("cluster") or {}
        if facts["node"]["error"]:
            module.warn(f"the engine tells of its swarm: {facts['node']['error']}")
        return {**facts, "cluster_id": told.get("ID", "")}

    run.finish(module, decide, apply, tell)


if __name__ == "__main__":
    main()
