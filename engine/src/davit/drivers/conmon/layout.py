"""Where conmon keeps the files of a process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from davit.sys import pidfd

MONITOR_PID = "conmon.pid"
"""Name of the file with the monitor's PID, in the directory of its process."""


@dataclass(frozen=True)
class Layout:
    """bundles, execs: one directory a container or exec; the rest as in ``store/paths.py``."""

    bundles: Path
    execs: Path
    exits: Path
    sockets: Path
    runtime_root: Path

    def make(self) -> None:
        for directory in (
            self.bundles,
            self.execs,
            self.exits,
            self.sockets,
            self.runtime_root,
        ):
            directory.mkdir(parents=True, exist_ok=True, mode=0o711)

    def home(self, process_id: str) -> Path:
        """The directory with the sockets of a container or of an exec."""
        bundle = self.bundles / process_id
        return bundle if bundle.is_dir() else self.execs / process_id

    def exit_file(self, process_id: str) -> Path | None:
        """The file with the exit code, None while there is none.

        conmon names it after the container, so an exec's lies in a directory of its own.
        """
        file = self.exits / process_id
        if file.exists():
            return file
        directory = self.execs / process_id / "exits"
        return next(directory.iterdir(), None) if directory.is_dir() else None

    def find_monitor(self, process_id: str) -> tuple[int, int] | None:
        """Return PID and start time of the monitor, None when it has ended. Blocking."""
        try:
            pid = int((self.home(process_id) / MONITOR_PID).read_text())
            ticks = pidfd.start_ticks(pid)
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        # The number may be another process's by now.
        is_monitor = process_id.encode() in arguments
        return (pid, ticks) if ticks is not None and is_monitor else None

    def clear(self, process_id: str) -> None:
        """Remove what conmon has left of a container, beside its bundle, or of an exec. Blocking.

        A link to the directory with the attach socket stays in ``sockets``. conmon makes its name
        one shorter when the path would fill a socket's address to the last byte.
        """
        for link in (process_id, process_id[:-1]):
            (self.sockets / link).unlink(missing_ok=True)
        (self.exits / process_id).unlink(missing_ok=True)
        shutil.rmtree(self.execs / process_id, ignore_errors=True)
