# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Controller's side of davit.fleet.service: shows how far long work is."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

_PATIENCE = 300


class ActionModule(ActionBase):
    """Runs the module, and again for each piece of waiting that is left."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        begun = time.monotonic()
        arguments = dict(self._task.args)
        try:
            first = result = self._execute(task_vars, {**arguments, "resume": "begin"})
            while waiting := result.pop("waiting", None):
                self._display.display(
                    f"davit: service {arguments.get('name')}: {waiting['progress']}",
                    color="bright gray",
                )
                left = int(arguments.get("wait_timeout", _PATIENCE)) - (time.monotonic() - begun)
                again = {"resume": waiting["resume"], "wait_timeout": max(int(left), 1)}
                result = self._execute(task_vars, {**arguments, **again})
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        # What was planned and done, the first run has said; how it went, the last one.
        done = {key: first[key] for key in ("actions", "diff", "warnings") if key in first}
        return {**result, **done, "changed": bool(first.get("changed"))}

    def _execute(
        self, task_vars: dict[str, Any] | None, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return result
