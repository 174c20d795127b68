"""A command of a build that ended badly: the one failure that has a code of its own."""

from __future__ import annotations


class CommandFailed(Exception):
    """command: as the shell gets it; code: what it returned."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"The command '{command}' returned a non-zero code: {code}")
        self.command = command
        self.code = code
