"""Execs: further processes in a running container."""

from __future__ import annotations

import msgspec

from davit.model.config import StrOrList, Wire


class ExecSpec(Wire, frozen=True):
    """The body of ``POST /containers/{id}/exec``. console_size: height, width in characters."""

    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_size: tuple[int, int] = (0, 0)
    detach_keys: str = ""
    tty: bool = False
    env: list[str] = []
    cmd: StrOrList = []
    privileged: bool = False
    user: str = ""
    working_dir: str = ""

    @property
    def argv(self) -> list[str]:
        return self.cmd.split() if isinstance(self.cmd, str) else self.cmd


class ExecStart(Wire, frozen=True):
    """The body of ``POST /exec/{id}/start``."""

    detach: bool = False
    tty: bool = False
    console_size: tuple[int, int] = (0, 0)


class Exec(msgspec.Struct, frozen=True, kw_only=True):
    """An exec as it is now. pid: on the host, 0 before it ran; exit_code: None until it ended."""

    id: str
    container_id: str
    spec: ExecSpec
    started: bool = False
    running: bool = False
    pid: int = 0
    exit_code: int | None = None
