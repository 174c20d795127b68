"""Which OCI runtime a container was created with: that one alone knows how to go on with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from davit.drivers.conmon.layout import Layout
from davit.drivers.conmon.runtime import Runtime

_FILE = "runtime"


class Runtimes:
    """The path of a container's runtime lies beside its bundle, so that a later davitd finds it.

    It is the path and not the name: a running container keeps its runtime whatever the settings
    call by that name later. default: of containers without such a file.
    """

    def __init__(self, default: Runtime, layout: Layout) -> None:
        self._default = default
        self._layout = layout
        self._by_container: dict[str, Runtime] = {}

    async def choose(self, container_id: str, program: str) -> Runtime:
        """Set the runtime of a container that is about to be created; empty for the default."""
        runtime = await asyncio.to_thread(self._write, container_id, program)
        self._by_container[container_id] = runtime
        return runtime

    async def of(self, container_id: str) -> Runtime:
        known = self._by_container.get(container_id)
        if known is None:
            known = await asyncio.to_thread(self._read, container_id)
            self._by_container[container_id] = known
        return known

    async def delete(self, process_id: str) -> None:
        """Have its runtime drop what is left of a container; of an exec nothing is. Idempotent."""
        await (await self.of(process_id)).delete(process_id)
        self._by_container.pop(process_id, None)

    def _write(self, container_id: str, program: str) -> Runtime:
        runtime = Runtime(program, self._default.root) if program else self._default
        self._file(container_id).write_text(runtime.executable)
        return runtime

    def _read(self, container_id: str) -> Runtime:
        try:
            return Runtime(self._file(container_id).read_text(), self._default.root)
        except FileNotFoundError:
            return self._default

    def _file(self, container_id: str) -> Path:
        return self._layout.bundles / container_id / _FILE
