#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""davit.fleet.image_build"""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Build an image
version_added: 0.1.0
author: The davit authors (@davit)
description:
  - Has the engine build an image from a Dockerfile.
  - A label of the image tells of what it was built. Nothing is built, nor sent, while that is the same - the files of
    the context without what its C(.dockerignore) names, their modes, and the options that make another image.
  - What an image is built C(FROM) and what its commands fetch is not looked at; use O(force) for these.
extends_documentation_fragment:
  - davit.fleet.engine
options:
  name:
    description: Reference of the image, V(repository:tag). Without a tag it is V(latest).
    type: str
    required: true
  context:
    description: Directory to build from. On the controller it is looked for as files of other tasks are.
    type: path
    required: true
  source:
    description: Where the O(context) is.
    type: str
    choices: [controller, host]
    default: controller
  context_digest:
    description: Digest of the context. Set by the module's action plugin, not by you.
    type: str
  context_archive:
    description: File on the host that has the context. Set by the module's action plugin, not by you.
    type: path
  dockerfile:
    description: Path of the Dockerfile in the context.
    type: str
    default: Dockerfile
  args:
    description: Build arguments (C(ARG)).
    type: dict
    default: {}
  labels:
    description: Labels of the image, besides those that the Dockerfile sets.
    type: dict
    default: {}
  target:
    description: Stage of the Dockerfile to build. By default the last one.
    type: str
  platform:
    description: Platform of the image, V(os/architecture[/variant]). By default the engine's.
    type: str
  network:
    description: Network mode of the build's commands, V(host), V(none) or the name of a network.
    type: str
  cache_from:
    description: Images whose steps may be used again. By default all that the host has built.
    type: list
    elements: str
    default: []
  nocache:
    description: Whether to run every step, when there is something to build.
    type: bool
    default: false
  pull:
    description: Whether to look for newer images to build from, when there is something to build.
    type: bool
    default: false
  force:
    description: Whether to build in any case. What has not changed comes from the engine's cache.
    type: bool
    default: false
  login_file:
    description:
      - Path on the host of the file with logins for the images to build from, as M(davit.fleet.login) writes it.
      - By default V(config.json) in the environment's E(DOCKER_CONFIG), then in V(~/.docker).
    type: path
"""

EXAMPLES = r"""
- name: Build the shop from its sources on the controller
  davit.fleet.image_build:
    name: shop:1.4
    context: ../shop
    args:
      VERSION: "1.4"

- name: Build it every night on what is newest
  davit.fleet.image_build:
    name: shop:nightly
    context: /srv/shop
    source: host
    pull: true
    force: true
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "build", "kind": "image", "name": "shop:1.4"}]
id:
  description: ID of the image.
  returned: when it is there
  type: str
output:
  description: What the build printed.
  returned: when it was built
  type: str
context_sent:
  description: Bytes that the context took on the network.
  returned: when it was sent
  type: int
"""

import tempfile

from ansible_collections.davit.fleet.plugins.module_utils import (
    _archive,
    _build_plan,
    _context,
    _module,
)
from ansible_collections.davit.fleet.plugins.module_utils._client import Engine
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action


def main() -> None:
    module = _module.make(_build_plan.ARGUMENTS)
    options = _module.options(module, _build_plan.ARGUMENTS)
    root, dockerfile = options["context"], options["dockerfile"]
    result: dict[str, object] = {}

    def plan(engine: Engine) -> list[Action]:
        if options["source"] == "host":
            context = _context.digest(root, dockerfile)
        elif options["context_digest"]:
            context = options["context_digest"]
        else:
            raise Invalid("source: controller needs the action plugin; use it in a playbook task")
        found = engine.find("images", _archive.normal(options["name"]), "json")
        actions = _build_plan.plan(options, found, _build_plan.key(options, context))
        is_there = options["source"] == "host" or options["context_archive"]
        if actions and not is_there and not module.check_mode:
            # The action plugin sends it and runs the module again.
            module.exit_json(changed=False, context_needed=True)
        if found is not None and not actions:
            result["id"] = found["Id"]
        return actions

    def apply(engine: Engine, action: Action) -> dict[str, object]:
        if options["source"] == "controller":
            return _build_plan.apply(engine, action, options, options["context_archive"])
        with tempfile.NamedTemporaryFile(dir=module.tmpdir) as file:
            _context.pack(root, dockerfile, file)
            file.flush()
            return _build_plan.apply(engine, action, options, file.name)

    _module.act(module, plan, apply, result)


if __name__ == "__main__":
    main()
