"""The caches of commands (``RUN --mount=type=cache``), kept from build to build."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from davit.drivers.volume.usage import disk_usage
from davit.model.build import MOUNT, CacheRecord
from davit.services.containers import cleanup


class Caches:
    """Directories of ``type=cache``, kept from build to build: one for each ID."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._locks: dict[str, asyncio.Lock] = {}
        self._used: Counter[str] = Counter()

    @asynccontextmanager
    async def opened(self, target: str, options: Mapping[str, str]) -> AsyncIterator[Path]:
        """Give the directory of a mount at ``target``.

        One that is not to be shared is had by one step at a time.
        """
        name = hashlib.sha256(options.get("id", target).encode()).hexdigest()[:32]
        owner = int(options.get("uid", "0")), int(options.get("gid", "0"))
        mode = int(options.get("mode", "0755"), 8)
        async with AsyncExitStack() as stack:
            if options.get("sharing", "shared") != "shared":
                lock = self._locks.setdefault(name, asyncio.Lock())
                await stack.enter_async_context(lock)
            self._used[name] += 1
            try:
                await asyncio.to_thread(_make, self._root / name, owner, mode)
                yield self._root / name
            finally:
                self._used[name] -= 1

    async def records(self) -> list[CacheRecord]:
        """Tell what there is, and what it takes."""
        return [
            CacheRecord(
                id=name,
                kind=MOUNT,
                description="cached mount",
                size=await asyncio.to_thread(disk_usage, self._root / name),
                created=used,
                is_used=self._used[name] > 0,
            )
            for name, used in await asyncio.to_thread(_listed, self._root)
        ]

    async def remove(self, names: Sequence[str]) -> list[str]:
        """Remove those that no step has open; return their names."""
        unused = [name for name in names if not self._used[name]]
        for name in unused:
            await cleanup.remove_tree(self._root / name)
        return unused


def _make(path: Path, owner: tuple[int, int], mode: int) -> None:
    if path.is_dir():
        os.utime(path)  # Its time tells when it was last used.
        return
    path.mkdir(parents=True)
    os.chown(path, *owner)
    path.chmod(mode)


def _listed(root: Path) -> list[tuple[str, int]]:
    """Names, and when each was last used (ns)."""
    if not root.is_dir():
        return []
    return [(path.name, path.stat().st_mtime_ns) for path in root.iterdir()]
