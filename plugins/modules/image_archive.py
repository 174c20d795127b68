#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: image_archive
short_description: Make a small image from files, as an archive
version_added: 0.1.0
description:
  - Packs a few files into an image of one layer, in the format of C(docker save).
  - Needs no engine and no registry. The same input gives the same archive, byte by byte.
  - For a static binary and what belongs to it; build larger images with a Dockerfile.
author:
  - The davit authors (@davit)
options:
  dest:
    description: The archive to write. The directories that lead to it are made.
    type: path
    required: true
  name:
    description: Name and tag of the image.
    type: str
    required: true
  files:
    description: Files of the image.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: File on the machine that the module runs on. Either this or O(files[].content).
        type: path
      content:
        description: The file's text.
        type: str
      path:
        description: Absolute path in the image.
        type: str
        required: true
      mode:
        description: Permissions, octal.
        type: str
        default: "0755"
  links:
    description: Symbolic links of the image, absolute path to target.
    type: dict
    default: {}
  directories:
    description: Empty directories of the image. Those that lead to files come by themselves.
    type: list
    elements: str
    default: []
  command:
    description: Command of its containers.
    type: list
    elements: str
    default: []
  env:
    description: Environment of its containers.
    type: dict
    default: {}
  architecture:
    description: Architecture of the files, by its name in the image specification. That of the
      machine the module runs on by default.
    type: str
    choices: [amd64, arm64]
attributes:
  check_mode:
    description: Can run in check mode and tell whether the archive would change.
    support: full
  diff_mode:
    description: There is nothing readable to differ.
    support: none
"""

EXAMPLES = r"""
- name: Make an image of one static binary
  davit.fleet.image_archive:
    dest: hello.tar
    name: hello:1
    files:
      - src: build/hello
        path: /bin/hello
    command: [/bin/hello]
  delegate_to: localhost
"""

RETURN = r"""
archive:
  description: The archive.
  returned: always
  type: str
  sample: /srv/build/hello.tar
"""

import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.davit.fleet.plugins.module_utils import _image_archive

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def read(file):
    """Return a file's bytes, from where the task says."""
    if file["src"] is not None:
        return Path(file["src"]).read_bytes()
    return file["content"].encode()


def main():
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "src": {"type": "path"},
                    "content": {"type": "str"},
                    "path": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0755"},
                },
                "mutually_exclusive": [("src", "content")],
                "required_one_of": [("src", "content")],
            },
            "links": {"type": "dict", "default": {}},
            "directories": {"type": "list", "elements": "str", "default": []},
            "command": {"type": "list", "elements": "str", "default": []},
            "env": {"type": "dict", "default": {}},
            "architecture": {"type": "str", "choices": ["amd64", "arm64"]},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        content = _image_archive.Content(
            {file["path"]: (read(file), int(file["mode"], 8)) for file in options["files"]},
            options["links"],
            tuple(options["directories"]),
        )
        config = {
            "Cmd": options["command"],
            "Env": [f"{key}={value}" for key, value in sorted(options["env"].items())],
        }
        architecture = options["architecture"] or ARCHITECTURES[platform.machine()]
        data = _image_archive.build(options["name"], content, config, architecture)
        if module.check_mode:
            path = Path(options["dest"])
            changed = not path.is_file() or path.read_bytes() != data
        else:
            changed = _image_archive.write(data, options["dest"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"cannot make {options['dest']}: {error}")
    module.exit_json(changed=changed, archive=options["dest"])


if __name__ == "__main__":
    main()
