# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Image archives on the controller: read there; sent is what the host lacks of them."""

from __future__ import annotations

import os
import shlex
import tempfile
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.davit.fleet.plugins.module_utils._archive import Identity, identify
from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid
from ansible_collections.davit.fleet.plugins.plugin_utils._parcel import Parcel, parts

# Days after which parts are deleted that nobody has come back for.
_KEPT = 7


class ArchiveAction(ActionBase):
    """Runs the module once; a second time when it asks for images."""

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
        identities = {image.get("name"): self._identify(image) for image in here}
        sent: list[dict[str, Any]] = []
        try:
            result = self._execute_module(module_args=arguments, task_vars=task_vars)
            for need in result.pop("images_needed", []):
                image = next(item for item in here if item["name"] == need["name"])
                identity = identities[need["name"]]
                wanted = None if need["layers"] is None else frozenset(need["layers"])
                parcel = Parcel(image["archive"], identity, wanted)
                image["archive_parts"], size = self._send(parcel, need["name"])
                sent.append({"name": need["name"], "layers": parcel.layers, "bytes": size})
            if sent:
                result = self._execute_module(module_args=arguments, task_vars=task_vars)
                result["images_sent"] = sent
                self._forget([path for image in here for path in image.get("archive_parts", [])])
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _identify(self, image: dict[str, Any]) -> Identity:
        if not image.get("archive"):
            raise AnsibleActionFail(f"image {image.get('name')}: archive is needed")
        path = self._find_needle("files", image["archive"])
        try:
            found = identify(path, str(image.get("name")))
        except Invalid as error:
            raise AnsibleActionFail(f"image {image.get('name')}: {error}") from error
        image.update(
            archive=path,
            archive_ids=found.ids,
            archive_layers=[layer.diff_id for layer in found.layers],
        )
        return found

    def _send(self, parcel: Parcel, name: str) -> tuple[list[str], int]:
        """Bring a parcel to the host, but for parts that an earlier try has left there.

        Return the parts' paths, and how many bytes were sent.
        """
        directory = self._directory()
        there = self._there(directory, parcel.key)
        paths, sent = [], 0
        for number, chunks in enumerate(parts(parcel.read())):
            size = sum(map(len, chunks))
            # With its size in its name: a part that was cut off is not taken for whole.
            path = self._connection._shell.join_path(directory, f"{parcel.key}.{number:05d}.{size}")
            paths.append(path)
            if there.get(os.path.basename(path)) == size:
                continue
            self._display.display(
                f"davit: sending {name} to {self._task_host()}: {parcel.layers} of "
                f"{len(parcel.image.layers)} layers, {(sent + size) / 1e6:.1f} MB so far",
                color="bright gray",
            )
            with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as part:
                part.writelines(chunks)
                part.flush()
                self._transfer_file(part.name, path)
            sent += size
        self._fixup_perms2((directory, *paths))
        return paths, sent

    def _directory(self) -> str:
        """Where parts lie: a place that outlives the task, if its module may read it there."""
        if self._is_become_unprivileged():
            if not self._connection._shell.tmpdir:
                self._make_tmp_path()
            return str(self._connection._shell.tmpdir)
        base = self.get_shell_option("remote_tmp", default="~/.ansible/tmp")
        expanded = self._remote_expand_user(base, sudoable=False)
        return str(self._connection._shell.join_path(expanded, "davit-parts"))

    def _there(self, directory: str, key: str) -> dict[str, int]:
        """Which parts of a parcel are on the host, by name, with their sizes."""
        place = shlex.quote(directory)
        done = self._low_level_execute_command(
            f"mkdir -p -m 700 {place} && find {place} -type f -mtime +{_KEPT} -delete; "
            f"cd {place} && find . -type f -name '{key}.*' -exec stat -c '%s %n' {{}} +",
            sudoable=False,
        )
        if done["rc"] != 0:
            raise AnsibleActionFail(f"cannot use {directory} on the host: {done['stderr'].strip()}")
        lines = (line.split(" ./", 1) for line in done["stdout"].splitlines())
        return {name: int(size) for size, name in lines}

    def _forget(self, paths: list[str]) -> None:
        """Whether it was loaded or refused: neither time is it to be used again."""
        self._low_level_execute_command(
            "rm -f " + " ".join(map(shlex.quote, paths)), sudoable=False
        )

    def _task_host(self) -> str:
        return str(self._play_context.remote_addr or "localhost")
