# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Image archives on the controller: read there, sent only when the host lacks the image."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.davit.fleet.plugins.module_utils._archive import identify
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid


class ArchiveAction(ActionBase):
    """Runs the module once; a second time when it asks for archives."""

    TRANSFERS_FILES = True

    def images(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """The image declarations in a task's arguments; they are changed in place."""
        raise NotImplementedError

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        here = [image for image in self.images(arguments) if image.get("source") == "controller"]
        for image in here:
            self._identify(image)
        try:
            result = self._execute_module(module_args=arguments, task_vars=task_vars)
            needed = result.pop("archives_needed", [])
            if needed:
                sent = {path: self._send(path) for path in needed}
                for image in here:
                    if image["archive"] in sent:
                        image.update(archive=sent[image["archive"]], archive_sent=True)
                result = self._execute_module(module_args=arguments, task_vars=task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _identify(self, image: dict[str, Any]) -> None:
        if not image.get("archive"):
            raise AnsibleActionFail(f"image {image.get('name')}: archive is needed")
        path = self._find_needle("files", image["archive"])
        try:
            found = identify(path, str(image.get("name")))
        except Invalid as error:
            raise AnsibleActionFail(f"image {image.get('name')}: {error}") from error
        image.update(archive=path, archive_ids=found.ids)

    def _send(self, path: str) -> str:
        size = os.path.getsize(path) / 1e6
        self._display.display(
            f"davit: sending {os.path.basename(path)} ({size:.1f} MB) to {self._task_host()}",
            color="bright gray",
        )
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(
            self._connection._shell.tmpdir, os.path.basename(path)
        )
        self._transfer_file(path, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote))
        return str(remote)

    def _task_host(self) -> str:
        return str(self._play_context.remote_addr or "localhost")
