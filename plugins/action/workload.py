# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Controller's side of davit.fleet.workload."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.plugin_utils._archives import ArchiveAction


class ActionModule(ArchiveAction):
    def images(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        images = arguments.get("images") or []
        if not isinstance(images, list):
            return []  # The module says what is wrong with it.
        arguments["images"] = [
            dict(image) if isinstance(image, dict) else image for image in images
        ]
        return [image for image in arguments["images"] if isinstance(image, dict)]
