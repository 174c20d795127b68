# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Controller's side of davit.fleet.image."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.plugin_utils._archives import ArchiveAction


class ActionModule(ArchiveAction):
    def images(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        return [arguments]
