#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_bundle
short_description: Make the engine's bundle on the controller
version_added: 0.1.0
description:
  - Packs the engine and the packages that it imports, for one Python version and architecture,
    into one archive. Nothing has to be installed with pip on the host.
  - Meant to be delegated to the controller. The archive is named by its version, which carries a
    hash of all that goes into it; one that is there already is not made again.
  - The role P(davit.fleet.engine#role) uses it.
author:
  - The davit authors (@davit)
options:
  source:
    description: The engine's directory, the one that holds C(src/davit).
    type: path
    required: true
  requirements:
    description: File that pins every package the engine imports, with environment markers.
    type: path
    required: true
  cache:
    description: Directory that keeps bundles.
    type: path
    required: true
  python:
    description: Python version of the host.
    type: str
    required: true
  architecture:
    description: Architecture of the host.
    type: str
    required: true
    choices: [x86_64, aarch64]
  libc:
    description: Name and version of the host's C library.
    type: list
    elements: str
    default: [glibc, "2.17"]
attributes:
  check_mode:
    description: Can run in check mode; tells the version and makes nothing.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
"""

EXAMPLES = r"""
- name: Make the bundle for Debian 12
  davit.fleet.engine_bundle:
    source: engine
    requirements: requirements/engine.txt
    cache: ~/.cache/davit/bundles
    python: "3.11"
    architecture: x86_64
    libc: [glibc, "2.36"]
  delegate_to: localhost
"""

RETURN = r"""
version:
  description: Version of the release that the bundle holds.
  returned: always
  type: str
  sample: 0.1.0+3f9c2b71
archive:
  description: The bundle on the controller. It is not there yet in check mode.
  returned: always
  type: str
  sample: /root/.cache/davit/bundles/davit-0.1.0+3f9c2b71-py3.11-x86_64-glibc.tar.gz
sha256:
  description: Hash of the bundle.
  returned: when the bundle is there
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.davit.fleet.plugins.module_utils import _bundle


def main():
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "cache": {"type": "path", "required": True},
            "python": {"type": "str", "required": True},
            "architecture": {"type": "str", "required": True, "choices": ["x86_64", "aarch64"]},
            "libc": {"type": "list", "elements": "str", "default": ["glibc", "2.17"]},
        },
        supports_check_mode=True,
    )
    source = Path(module.params["source"])
    requirements = Path(module.params["requirements"])
    target = _bundle.Target(
        module.params["python"], module.params["architecture"], tuple(module.params["libc"])
    )
    try:
        bundle = _bundle.describe(source, requirements, Path(module.params["cache"]), target)
        if module.check_mode:
            made = not bundle.path.exists()
        else:
            made = _bundle.make(bundle, source, requirements, target)
    except _bundle.BundleError as error:
        module.fail_json(msg=str(error))
    result = {"version": bundle.version, "archive": str(bundle.path)}
    if bundle.path.exists():
        result["sha256"] = bundle.sha256
    module.exit_json(changed=made, **result)


if __name__ == "__main__":
    main()
