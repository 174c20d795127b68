"""Values that pass between the container services and the drivers of conmon and the OCI runtime."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

BAD_COMMAND: Mapping[str, int] = MappingProxyType(
    {
        "executable file not found": 127,
        "no such file or directory": 127,
        "permission denied": 126,
        "is a directory": 126,
    }
)
"""The OCI runtime's words for a command that cannot be run, which is the user's mistake and not the
system's, and the exit codes that stand for it (POSIX, Shell Command Language, section 2.8.2)."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What conmon needs to create a container. Paths are absolute.

    bundle: directory with ``config.json``. runtime: OCI runtime, path or name in PATH, empty for
    the driver's default. log: k8s-file log, empty for no log at all; log_limit:
    bytes after which conmon begins it anew by itself, 0 for never.
    stdin: keep standard input open; stdin_once: close it when the first client leaves.
    """

    container_id: str
    bundle: str
    runtime: str = ""
    log: str
    log_limit: int = 0
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False


class ExecLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """A further process in a running container. process: the OCI ``process`` object as JSON.

    attach: a client waits for the streams, so it is connected before the process begins; the first
    ``attach`` gets that connection.
    """

    exec_id: str
    container_id: str
    bundle: str
    process: bytes
    terminal: bool = False
    stdin: bool = False
    attach: bool = True


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A created container or a running exec.

    pid: its (init) process on the host; conmon_pid: its monitor; start_ticks: the monitor's start
    time (``/proc/PID/stat`` field 22), which tells it from a later process with the same PID.
    """

    pid: int
    conmon_pid: int
    start_ticks: int


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended. exit_code: 0–255, 128 + signal; finished_at: ns since the epoch.

    error: set when the monitor died without leaving an exit code.
    """

    exit_code: int
    finished_at: int
    oom_killed: bool = False
    error: str = ""


STDIN, STDOUT, STDERR = 0, 1, 2
"""Stream numbers, as in Docker's multiplexed stream."""
