"""The files that davit makes for a container: ``hosts``, ``hostname`` and ``resolv.conf``.

They are bind-mounted one by one, so a change keeps the inode: what is there is overwritten.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from davit.model.container import Container
from davit.store.paths import Paths

# A file is read and written in one go; several containers that start may change the same one.
_editing = threading.Lock()


class Files:
    """The generated files of one container."""

    def __init__(self, paths: Paths, container: Container) -> None:
        # A container in another's network sees that one's files.
        kind, _, owner = container.host_config.network_mode.partition(":")
        self._shared = kind == "container"
        home = paths.container(owner if self._shared else container.id)
        self.hosts = home / "hosts"
        self.hostname = home / "hostname"
        self.resolv_conf = home / "resolv.conf"
        self._written = home / "resolv.conf.hash"

    def write(self, *, hostname: str, resolv_conf: str) -> None:
        """Write what is known before the container has an address. Blocking."""
        if self._shared:
            return
        self.hostname.write_text(f"{hostname}\n", encoding="utf-8")
        self._write_resolv_conf(resolv_conf)
        self.hosts.write_bytes(b"")

    def give_to(self, owner: tuple[int, int]) -> None:
        """Let the container's root, a user and a group ID of the host, own them. Blocking."""
        if not self._shared:
            for path in (self.hosts, self.hostname, self.resolv_conf):
                os.chown(path, *owner)

    async def write_hosts(self, text: str) -> None:
        if not self._shared:
            await asyncio.to_thread(_overwrite, self.hosts, text)

    def edit_hosts(self, edit: Callable[[str], str]) -> None:
        """Change ``hosts`` while the container runs. Blocking."""
        with _editing:
            try:
                before = self.hosts.read_text(encoding="utf-8", errors="surrogateescape")
            except FileNotFoundError:
                return
            after = edit(before)
            if after != before:
                _overwrite(self.hosts, after)

    def replace_resolv_conf(self, text: str) -> None:
        """Give a running container another ``resolv.conf``, unless somebody edited it. Blocking."""
        try:
            written = self._written.read_text(encoding="ascii")
            present = self.resolv_conf.read_bytes()
        except FileNotFoundError:
            return
        if _hash(present) == written:
            self._write_resolv_conf(text)

    def _write_resolv_conf(self, text: str) -> None:
        _overwrite(self.resolv_conf, text)
        self._written.write_text(_hash(text.encode()), encoding="ascii")


def _overwrite(path: Path, text: str) -> None:
    """Write in place; at no time does a reader see an empty file."""
    data = text.encode(errors="surrogateescape")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.truncate(len(data))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
