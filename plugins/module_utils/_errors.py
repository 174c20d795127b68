# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a module and the engine, and what the user can do about it."""

from __future__ import annotations

import errno
from typing import Any


class FleetError(Exception):
    """Shown to the user as it is: it says what, why and what to do.

    facts: what to return besides.
    """

    def __init__(self, message: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts = facts or {}


class Unreachable(FleetError):
    """No engine answers."""


class EngineError(FleetError):
    """The engine refused a request. status: HTTP status; message: the engine's words.

    output: what a build had printed until then.
    """

    def __init__(self, what: str, status: int, message: str, output: str = "") -> None:
        super().__init__(f"{what}: {message}")
        self.status = status
        self.message = message
        self.output = output


class NotFound(EngineError):
    """The engine knows no object of that name (404)."""


class Invalid(FleetError):
    """An option has a wrong value. The message begins with the option's path."""


def unreachable(host: str, error: Exception) -> Unreachable:
    """Tell apart the reasons for which a socket does not answer."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENOENT:
        reason = (
            "there is no such socket; install the engine (davit.fleet.engine) or set engine_host"
        )
    elif number in (errno.EACCES, errno.EPERM):
        reason = "permission denied; use become, or add the user to the socket's group"
    elif number == errno.ECONNREFUSED:
        reason = "nothing listens there; start the engine: systemctl start davit (or docker)"
    else:
        reason = str(error) or type(error).__name__
    return Unreachable(f"cannot reach the engine at {host}: {reason}")
