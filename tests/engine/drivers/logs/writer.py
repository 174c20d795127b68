"""A log as conmon writes it, also with a limit of its own; without conmon."""

from __future__ import annotations

import os
from pathlib import Path

from davit.model import times

FIRST = 1_700_000_000_000_000_000


def entry(text: str, *, second: int = 0, stream: str = "stdout", tag: str = "F") -> str:
    moment = times.rfc3339_padded(FIRST + second * 10**9).removesuffix("Z")
    return f"{moment}+00:00 {stream} {tag} {text}\n"


class Writer:
    """Numbered lines; ``reopen`` is what conmon does when it is asked to."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.count = 0
        self._file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, lines: int = 1) -> None:
        numbers = range(self.count, self.count + lines)
        self.count += lines
        os.write(
            self._file, "".join(entry(f"{number}", second=number) for number in numbers).encode()
        )

    def part(self, text: str, tag: str = "P") -> None:
        os.write(self._file, entry(text, second=self.count, tag=tag).encode())

    async def reopen(self) -> None:
        os.close(self._file)
        spare = f"{self.log}.tmp"
        self._file = os.open(spare, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
        os.rename(spare, self.log)

    def close(self) -> None:
        os.close(self._file)
