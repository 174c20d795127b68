#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_preflight
short_description: Check that a host can run an engine
version_added: 0.1.0
description:
  - Checks everything that the engine needs from a host and lists all that is missing at once,
    each with what to do.
  - Changes nothing. Kernel features are tried in namespaces of their own, overlayfs on a directory
    beside the data root that is removed again.
  - The role P(davit.fleet.engine#role) runs it before it touches the host.
author:
  - The davit authors (@davit)
options:
  flavor:
    description: The engine to check for.
    type: str
    choices: [davit, moby]
    default: davit
  other:
    description: What is going to happen to a running engine of the other flavor; for V(fail) it is a problem.
    type: str
    choices: [fail, keep, remove]
    default: fail
  root:
    description: Directory that holds davit's releases.
    type: path
    default: /opt/davit
  data_root:
    description: Directory for images, containers and volumes. It need not exist yet.
    type: path
    default: /var/lib/davit
  commands:
    description:
      - Executables that the engine calls.
      - A missing one is a problem only where no known package manager could install it.
    type: list
    elements: str
    default: [runc, conmon, nft, ip]
  listen:
    description: The engine's listeners. TCP ports among them have to be free, or held by the engine.
    type: list
    elements: str
    default: []
  min_free_mb:
    description: Free space that O(data_root) has to have, in MiB.
    type: int
    default: 1024
attributes:
  check_mode:
    description: Can run in check mode and return the same as without it.
    support: full
  diff_mode:
    description: There is nothing to differ, it changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Check that the host can run davit
  davit.fleet.engine_preflight:
  become: true

- name: Check a host whose engine will listen on the network, with data on a disk of its own
  davit.fleet.engine_preflight:
    data_root: /srv/davit
    listen: [unix:///run/davit/davit.sock, tcp://0.0.0.0:2376]
    min_free_mb: 20480
  become: true
"""

RETURN = r"""
problems:
  description: What keeps the host from running davit. The module fails when there is any.
  returned: always
  type: list
  elements: str
  sample: ["TCP port 2376 is held by nginx (process 812): stop it or choose another port"]
packages:
  description: Packages that bring the missing ones of O(commands).
  returned: always
  type: list
  elements: str
  sample: [conmon, nftables]
host:
  description: What the host has.
  returned: always
  type: dict
  contains:
    architecture:
      description: The machine's architecture.
      type: str
      sample: x86_64
    commands:
      description: Path of each of O(commands), null for a missing one.
      type: dict
      sample: {"runc": "/usr/sbin/runc", "conmon": null}
    current:
      description: Version of the release in use, null when there is none.
      type: str
      sample: 0.1.0+3f9c2b71
    package_manager:
      description: Package manager found, null when there is none that the role knows.
      type: str
      sample: apt-get
    libc:
      description: Name and version of the C library.
      type: list
      elements: str
      sample: [glibc, "2.36"]
    python:
      description: Major and minor version of the Python that runs the module.
      type: list
      elements: int
      sample: [3, 11]
    moby:
      description: Version and hold of the installed packages of Moby, by their names.
      type: dict
      sample: {"docker.io": {"version": "20.10.24+dfsg1-1", "held": true}}
    running:
      description: Flavors of the engines that run.
      type: list
      elements: str
      sample: [moby]
    releases:
      description: What is known of each release on the host, by version.
      type: dict
      sample: {"0.1.0+3f9c2b71": {"python": "3.11", "architecture": "x86_64"}}
"""

from dataclasses import asdict
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.davit.fleet.plugins.module_utils import _preflight

RELEASES_MB = 200


def main():
    module = AnsibleModule(
        argument_spec={
            "flavor": {"choices": ["davit", "moby"], "default": "davit"},
            "other": {"choices": ["fail", "keep", "remove"], "default": "fail"},
            "root": {"type": "path", "default": "/opt/davit"},
            "data_root": {"type": "path", "default": "/var/lib/davit"},
            "commands": {
                "type": "list",
                "elements": "str",
                "default": ["runc", "conmon", "nft", "ip"],
            },
            "listen": {"type": "list", "elements": "str", "default": []},
            "min_free_mb": {"type": "int", "default": 1024},
        },
        supports_check_mode=True,
    )
    options = module.params
    space = {options["data_root"]: options["min_free_mb"] << 20}
    if options["flavor"] == "davit":
        space[options["root"]] = RELEASES_MB << 20
    listeners = [urlsplit(url) for url in options["listen"]]
    wanted = _preflight.Wanted(
        root=options["root"],
        data_root=options["data_root"],
        commands=tuple(options["commands"]),
        ports=tuple(url.port for url in listeners if url.scheme == "tcp" and url.port),
        space=space,
        flavor=options["flavor"],
        other=options["other"],
    )
    facts = _preflight.gather(wanted)
    problems = _preflight.find_problems(facts, wanted)
    result = {
        "host": asdict(facts),
        "packages": _preflight.missing_packages(facts),
        "problems": problems,
    }
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        module.fail_json(
            msg=f"this host cannot run {options['flavor']}; nothing has been changed.{lines}",
            **result,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
