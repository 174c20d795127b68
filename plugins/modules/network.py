#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.network"""

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Declare a network
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Makes or removes a network. One that differs is made anew, and the containers on it are connected again
    with the addresses and aliases that they had.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  name:
    description: Name of the network.
    type: str
    required: true
  state:
    description: Whether the network is to be there. With V(absent), containers on it are disconnected.
    type: str
    choices: [absent, present]
    default: present
  adopt:
    description:
      - Whether to change or remove a network that belongs to a workload, or in a workload, to another one or to nobody.
      - One that fits needs no adoption.
    type: bool
    default: false
  driver:
    description: Network driver, V(bridge) by default. V(macvlan) puts containers onto a network that the host is on.
    type: str
  internal:
    description: Whether the network has no way out of the host.
    type: bool
  attachable:
    description: Whether containers outside of services may join a network of a swarm.
    type: bool
  enable_ipv6:
    description: Whether the network has IPv6 addresses, too.
    type: bool
  driver_options:
    description: Options for the driver, for example V(com.docker.network.bridge.name), or V(parent) of V(macvlan).
    type: dict
  labels:
    description: Labels of the network.
    type: dict
  ipam_config:
    description: Address pools, one for each address family; by default the engine chooses.
    type: list
    elements: dict
    suboptions:
      subnet:
        description: Subnet in CIDR notation.
        type: str
      gateway:
        description: Address of the gateway in the subnet.
        type: str
      iprange:
        description: Part of the subnet from which containers get their addresses.
        type: str
      aux_addresses:
        description: Addresses that containers do not get, by name.
        type: dict
"""

EXAMPLES = r"""
- name: Give the application a network of its own
  davit.fleet.network:
    name: app
    ipam_config:
      - subnet: 10.80.0.0/24
        gateway: 10.80.0.1

- name: Give it IPv6, too, and keep an address free
  davit.fleet.network:
    name: app
    enable_ipv6: true
    ipam_config:
      - subnet: 10.80.0.0/24
        aux_addresses:
          printer: 10.80.0.9
      - subnet: fd00:80::/64

- name: Put containers onto the network behind eth1
  davit.fleet.network:
    name: lan
    driver: macvlan
    driver_options:
      parent: eth1
    ipam_config:
      - subnet: 192.0.2.0/24
        gateway: 192.0.2.1
        iprange: 192.0.2.192/26
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "create", "kind": "network", "name": "app"}]
"""

from ansible_collections.davit.fleet.plugins.module_utils import _module
from ansible_collections.davit.fleet.plugins.module_utils._network_plan import ARGUMENTS


def main() -> None:
    module = _module.make(ARGUMENTS)
    _module.run(module, lambda: {"networks": [_module.options(module, ARGUMENTS)]})


if __name__ == "__main__":
    main()
