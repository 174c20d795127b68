# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Options of secrets and configs: what a swarm keeps for its services."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
description:
  - A swarm never changes the content of an object of this kind. So the name stands for a row of versions, C(NAME_v1) and
    so on. Other content makes a new version, the services that use an earlier one are updated to use the new one, and
    then earlier versions are removed.
  - M(davit.fleet.service) takes the name for the newest version.
options:
  name:
    description: Name of the object.
    type: str
    required: true
  state:
    description:
      - Whether the object is to be there. With V(absent), all of its versions go; it is an error when a service uses one.
    type: str
    choices: [absent, present]
    default: present
  data:
    description: The content. Either this or O(data_file) is needed with O(state=present).
    type: str
  data_file:
    description: Path on the host of a file with the content.
    type: path
  data_is_base64:
    description: Whether the content is given in base64, for one that is no text.
    type: bool
    default: false
  versioned:
    description:
      - Whether the name stands for versions.
      - With V(false) there is one object of exactly this name. Other content makes it anew, which is an error while services
        use it.
    type: bool
    default: true
  keep_versions:
    description:
      - How many versions to keep besides the newest one.
      - A service can only be rolled back while the version that it used before is there.
    type: int
    default: 1
  update_services:
    description:
      - Whether services go over to the new version. Each does so by its own update settings, and is not waited for.
      - With V(false), versions that services use stay. A later task with M(davit.fleet.service) takes the new one, and
        waits for it.
    type: bool
    default: true
  template_driver:
    description: How the content is filled in for each task, as it is by default.
    type: str
    choices: [golang]
  labels:
    description: Labels of the object. They can be changed without a new version.
    type: dict
"""
