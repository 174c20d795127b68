# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Options of what speaks to a registry."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  username:
    description:
      - Who to be at the registry, together with O(password).
      - By default what O(login_file) has for the registry, and else nobody.
    type: str
  password:
    description: Password or token of O(username).
    type: str
  login_file:
    description:
      - Path on the host of the file with logins, as M(davit.fleet.login) and C(docker login) write it.
      - By default V(config.json) in the environment's E(DOCKER_CONFIG), then in V(~/.docker). Logins that a
        credential helper keeps are not read.
    type: path
"""
