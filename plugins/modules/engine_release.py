#!/usr/bin/python
# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_release
short_description: Install, use and remove releases of the engine on a host
version_added: 0.1.0
description:
  - Unpacks a bundle below C(releases), and points the symlink C(current) at the release to use.
    Both happen by one rename, so that there is no half of a release at any time.
  - Does not restart the engine.
  - The role P(davit.fleet.engine#role) uses it.
author:
  - The davit authors (@davit)
options:
  root:
    description: Directory that holds the releases.
    type: path
    default: /opt/davit
  version:
    description: Version of the release. Required unless O(state=pruned).
    type: str
  archive:
    description: Bundle on the host. Required to install a release that is not there.
    type: path
  sha256:
    description: Hash that O(archive) has to have.
    type: str
  state:
    description:
      - V(present), the release is there.
      - V(current), it is the one in use too.
      - V(absent), it is not there.
      - V(pruned), at most O(keep) releases are there beside the one in use.
    type: str
    choices: [present, current, absent, pruned]
    default: present
  keep:
    description: Number of releases to keep for a rollback, with O(state=pruned).
    type: int
    default: 2
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Shows the release in use and the releases there, before and after.
    support: full
"""

EXAMPLES = r"""
- name: Unpack a release
  davit.fleet.engine_release:
    version: 0.1.0+3f9c2b71
    archive: /var/tmp/davit.tar.gz
    sha256: "{{ bundle.sha256 }}"

- name: Use it
  davit.fleet.engine_release:
    version: 0.1.0+3f9c2b71
    state: current

- name: Keep one release to go back to
  davit.fleet.engine_release:
    state: pruned
    keep: 1
"""

RETURN = r"""
previous:
  description: Version that was in use before, null when there was none.
  returned: always
  type: str
releases:
  description: Versions that are there now.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.davit.fleet.plugins.module_utils import _preflight, _release


def plan(root, options):
    """Return (versions after, current after, what to call)."""
    version = options["version"]
    before = sorted(_preflight.read_releases(root))
    current = _preflight.current_release(root)
    if options["state"] == "pruned":
        goners = _release.surplus(root, options["keep"])
        return (
            [name for name in before if name not in goners],
            current,
            [(_release.remove, (root, name)) for name in goners],
        )
    if options["state"] == "absent":
        if version not in before:
            return before, current, []
        return (
            [name for name in before if name != version],
            None if current == version else current,
            [(_release.remove, (root, version))],
        )
    calls = []
    if not _release.is_installed(root, version):
        calls.append((_release.install, (root, version, options["archive"], options["sha256"])))
    if options["state"] == "current" and current != version:
        calls.append((_release.activate, (root, version)))
        current = version
    return sorted({*before, version}), current, calls


def main():
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "default": "/opt/davit"},
            "version": {"type": "str"},
            "archive": {"type": "path"},
            "sha256": {"type": "str"},
            "state": {
                "type": "str",
                "choices": ["present", "current", "absent", "pruned"],
                "default": "present",
            },
            "keep": {"type": "int", "default": 2},
        },
        required_if=[
            ("state", "present", ("version",)),
            ("state", "current", ("version",)),
            ("state", "absent", ("version",)),
        ],
        required_together=[("archive", "sha256")],
        supports_check_mode=True,
    )
    root = module.params["root"]
    before = {
        "current": _preflight.current_release(root),
        "releases": sorted(_preflight.read_releases(root)),
    }
    releases, current, calls = plan(root, module.params)
    needs_archive = any(call is _release.install for call, _arguments in calls)
    if needs_archive and not module.check_mode and not module.params["archive"]:
        there = ", ".join(before["releases"]) or "none"
        module.fail_json(
            msg=f"release {module.params['version']} is not on this host (there: {there}): "
            "name one of these, or pass its bundle as archive"
        )
    try:
        if not module.check_mode:
            for call, arguments in calls:
                call(*arguments)
    except _release.ReleaseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(calls),
        previous=before["current"],
        releases=releases,
        diff={"before": before, "after": {"current": current, "releases": releases}},
    )


if __name__ == "__main__":
    main()
