# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Controller's side of davit.fleet.swarm_step: one step of a plan becomes one run of a module."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "step": {"type": "dict", "required": True},
                "engine": {"type": "dict", "default": {}},
                "keys": {"type": "dict", "default": {}, "no_log": True},
            }
        )
        step = arguments["step"]
        if self._task.check_mode and step["module"] != "swarm_info":
            return _foretold(step)
        options = {**step["options"], **_keys(step, arguments["keys"]), **arguments["engine"]}
        name = f"davit.fleet.{step['module']}"
        try:
            result = self._execute_module(name, module_args=options, task_vars=task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.pop("invocation", None)
        return dict(result)


def _foretold(step: dict[str, Any]) -> dict[str, Any]:
    """What a run would do is what the plan says: the swarm may be one that is yet to begin."""
    header = f"swarm {step['swarm']}: {step['verb']} {step['host']}"
    return {
        "changed": True,
        "diff": {
            "before_header": header,
            "after_header": header,
            "before": step["before"],
            "after": step["after"],
        },
    }


def _keys(step: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What only a manager knows, as options. told: its swarm_info."""
    if step.get("secret") == "unlock":
        return {"unlock_key": told["unlock_key"]}
    if step.get("secret"):
        return {
            "join_token": told["join_tokens"][step["secret"]],
            "remote_addrs": [item["address"] for item in told["node"]["managers"]],
        }
    return {}
