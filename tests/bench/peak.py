"""The most memory that a daemon has while something happens, with the processes that it starts."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType

_PAUSE = 0.02


class Peak:
    """Use around what happens; ``megabytes`` tells afterwards.

    Of the daemon the kernel keeps the mark (VmHWM); with its children it is looked at 50 times a
    second. Pages that they share count once for each: it is rather too much than too little.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        # proc(5): "5" resets the mark.
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._most = max(self._most, _status(self._pid, "VmHWM"))

    @property
    def megabytes(self) -> float:
        return self._most * 1024 / 1e6

    def _look(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._most = max(self._most, _with_children(self._pid))


def _with_children(pid: int) -> int:
    children: list[str] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += task.read_text().split()
    return _status(pid, "VmRSS") + sum(_with_children(int(child)) for child in children)


def _status(pid: int, field: str) -> int:
    """KB; nothing when the process has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return 0
