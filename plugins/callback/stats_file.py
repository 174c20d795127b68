# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
name: stats_file
type: aggregate
short_description: Write the recap as JSON
version_added: 0.1.0
description:
  - Writes what the recap shows into a file, so that a script need not read the recap.
  - "One object: host to C(ok), C(changed), C(failures), C(unreachable), C(skipped)."
author:
  - The davit authors (@davit)
requirements:
  - Enabled in C(callbacks_enabled).
options:
  path:
    description: File to write.
    type: path
    required: true
    env:
      - name: DAVIT_STATS_FILE
    ini:
      - section: davit
        key: stats_file
"""

import json

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "davit.fleet.stats_file"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats):
        recap = {host: stats.summarize(host) for host in sorted(stats.processed)}
        with open(self.get_option("path"), "w", encoding="utf-8") as file:
            json.dump(recap, file, indent=2)
            file.write("\n")
