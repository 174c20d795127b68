"""``python -m tests.engine.faults.mortal`` is ``davitd`` that kills itself at a chosen step.

A step is a change to the world outside the process: a file made, moved or removed, a row written,
a mount, a netlink request, a child process, a connection. Python's audit events tell most of them;
mounts, netlink requests and transactions, which raise none, are wrapped.

The file that ``DAVIT_COUNTDOWN`` names holds one number of 8 bytes, shared with the test: how many
steps are still to come, this daemon's end included; 0 means that it lives on.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from davit import cli
from davit.drivers.netlink import Links
from davit.store.db import Database
from davit.sys import mount

_CHANGES = frozenset(
    {
        "os.mkdir",
        "os.rename",
        "os.remove",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.posix_spawn",
        "subprocess.Popen",
        "socket.connect",
    }
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Countdown:
    """The number that the daemon and the test share."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    @property
    def left(self) -> int:
        return int(struct.unpack("=q", self._memory[:8])[0])

    @left.setter
    def left(self, value: int) -> None:
        self._memory[:8] = struct.pack("=q", value)


class Doom:
    """Counts the steps of all threads, and ends the process before the last one."""

    def __init__(self, countdown: Countdown) -> None:
        self._countdown = countdown
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            left = self._countdown.left
            if left:
                self._countdown.left = left - 1
            if left == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and args[2] and args[2] & _WRITES):
            self.step()

    def wrap(self, owner: Any, name: str) -> None:
        """Make each call of a function a step."""
        function = getattr(owner, name)

        def stepping(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return function(*args, **kwargs)

        setattr(owner, name, stepping)


class _Mounts:
    """Stands for libc in ``davit.sys.mount``, whose functions others have imported by name."""

    def __init__(self, libc: Any) -> None:
        self._libc = libc

    def __getattr__(self, name: str) -> Any:
        return getattr(self._libc, name)


def main() -> int:
    doom = Doom(Countdown(Path(os.environ["DAVIT_COUNTDOWN"])))
    libc = _Mounts(mount._libc)
    for name in ("mount", "umount2"):
        setattr(libc, name, getattr(libc, name))
        doom.wrap(libc, name)
    mount._libc = libc  # type: ignore[assignment]
    doom.wrap(Links, "_request")
    doom.wrap(Database, "_transact")
    sys.addaudithook(doom.audit)
    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
