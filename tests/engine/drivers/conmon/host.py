"""A host for conmon and runc, with a root file system that is busybox and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

from davit.drivers.conmon import ConmonMonitors
from davit.drivers.conmon.layout import Layout
from davit.drivers.conmon.runtime import Runtime
from davit.model.runtime import STDERR, STDOUT, Launch, Launched

ID = "c" * 64
EXEC = "e" * 64
NAMESPACES = [{"type": kind} for kind in ("pid", "mount", "uts", "ipc", "network")]


class Host:
    """One container and its execs, on roots of their own."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(
            bundles=root / "containers",
            execs=root / "execs",
            exits=root / "exits",
            sockets=root / "s",
            runtime_root=root / "runtime",
        )
        # The same for all processes that use these roots.
        self.cgroup = f"davit-test-{zlib.crc32(os.fsencode(root)):08x}"
        self.layout.make()
        self.monitors = self.new_monitors()
        self.log = root / "log"
        self.bundle = self.layout.bundles / ID
        (self.bundle / "rootfs/bin").mkdir(parents=True)
        for directory in ("proc", "dev", "tmp"):
            (self.bundle / "rootfs" / directory).mkdir()
        shutil.copy("/bin/busybox", self.bundle / "rootfs/bin/busybox")
        for applet in ("sh", "cat", "echo", "sleep", "stty", "true"):
            (self.bundle / "rootfs/bin" / applet).symlink_to("busybox")

    def new_monitors(self, conmon: str = "conmon", runtime: str = "runc") -> ConmonMonitors:
        return ConmonMonitors(conmon, Runtime(runtime, self.layout.runtime_root), self.layout)

    def process(self, *argv: str, terminal: bool = False) -> dict[str, Any]:
        return {
            "args": argv,
            "cwd": "/",
            "env": ["PATH=/bin"],
            "terminal": terminal,
            "user": {"uid": 0, "gid": 0},
        }

    async def launch(
        self,
        *argv: str,
        terminal: bool = False,
        stdin: bool = False,
        memory: int = 0,
        before: str = "",
    ) -> Launched:
        """Create the container; the runtime's configuration is as small as can be.

        before: a script that runs inside between the start and the command.
        """
        specification: dict[str, Any] = {
            "ociVersion": "1.0.2",
            "root": {"path": "rootfs"},
            "process": self.process(*argv, terminal=terminal),
            "mounts": [
                {"type": "proc", "source": "proc", "destination": "/proc"},
                {"type": "tmpfs", "source": "tmpfs", "destination": "/dev"},
                {"type": "devpts", "source": "devpts", "destination": "/dev/pts"},
            ],
            "linux": {"namespaces": NAMESPACES, "cgroupsPath": f"/{self.cgroup}/{ID}"},
        }
        if memory:
            specification["linux"]["resources"] = {"memory": {"limit": memory, "swap": memory}}
        if before:
            hook = {"path": "/bin/sh", "args": ["sh", "-c", before], "env": ["PATH=/bin"]}
            specification["hooks"] = {"startContainer": [hook]}
        (self.bundle / "config.json").write_text(json.dumps(specification))
        return await self.monitors.launch(
            Launch(
                container_id=ID,
                bundle=str(self.bundle),
                log=str(self.log),
                terminal=terminal,
                stdin=stdin,
                stdin_once=True,
            )
        )


async def read_all(console: Any) -> dict[int, bytes]:
    received = {STDOUT: b"", STDERR: b""}
    while (chunk := await console.read()) is not None:
        received[chunk[0]] += chunk[1]
    await console.close()
    return received
