# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Render TOML."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: to_toml
short_description: Render a dictionary as TOML
version_added: 0.1.0
description:
  - Renders scalars, lists and dictionaries. Dictionaries below the first level are written inline.
author:
  - The davit authors (@davit)
options:
  _input:
    description: What to render.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write a configuration file
  ansible.builtin.copy:
    content: "{{ {'log-level': 'debug', 'dns': ['192.0.2.53']} | davit.fleet.to_toml }}"
    dest: /etc/davit/davit.toml
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The document, keys sorted, one a line.
  type: str
"""


def to_toml(settings):
    """Return settings as a TOML document; keys with the value None are left out."""
    if not isinstance(settings, dict):
        raise AnsibleFilterError(f"to_toml needs a dictionary, got {type(settings).__name__}")
    return "".join(
        f"{_key(name)} = {_value(value, name)}\n"
        for name, value in sorted(settings.items())
        if value is not None
    )


def _key(name):
    plain = str(name).replace("-", "").replace("_", "")
    return str(name) if plain.isalnum() and plain.isascii() else json.dumps(str(name))


def _value(value, path):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        # A TOML basic string escapes as JSON does, apart from DEL, which JSON leaves as it is.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        items = (
            f"{_key(name)} = {_value(item, f'{path}.{name}')}"
            for name, item in value.items()
            if item is not None
        )
        return "{ " + ", ".join(items) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item, path) for item in value) + "]"
    raise AnsibleFilterError(f"to_toml: {path} is a {type(value).__name__}, which TOML lacks")


class FilterModule:
    def filters(self):
        return {"to_toml": to_toml}
