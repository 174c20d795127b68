# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Controller's side of davit.fleet.image_build: sends the context when it is to be built."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.davit.fleet.plugins.module_utils import _context
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid


class ActionModule(ActionBase):
    TRANSFERS_FILES = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        is_here = arguments.get("source", "controller") == "controller"
        # What is missing, the module says.
        if not is_here or not arguments.get("context"):
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        root = self._find_needle("files", arguments["context"])
        dockerfile = str(arguments.get("dockerfile") or "Dockerfile")
        try:
            arguments.update(context=root, context_digest=_context.digest(root, dockerfile))
            result = self._execute_module(module_args=arguments, task_vars=task_vars)
            if result.pop("context_needed", False):
                arguments["context_archive"], size = self._send(root, dockerfile)
                result = self._execute_module(module_args=arguments, task_vars=task_vars)
                result["context_sent"] = size
        except Invalid as error:
            raise AnsibleActionFail(f"image {arguments.get('name')}: {error}") from error
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _send(self, root: str, dockerfile: str) -> tuple[str, int]:
        """Bring the context to the host; return its path there and its size."""
        directory = self._connection._shell.tmpdir
        path = self._connection._shell.join_path(directory, "context.tar.gz")
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as file:
            _context.pack(root, dockerfile, file)
            file.flush()
            size = os.path.getsize(file.name)
            self._transfer_file(file.name, path)
        self._fixup_perms2((directory, path))
        return path, size
