"""Trying again: what may work later, and how long to wait for it."""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Callable

from davit.errors import Unavailable

_TRIES = 5
_FIRST = 0.5
# A registry that wants us to wait longer is told to the user instead.
_LONGEST = 120.0
_LEEWAY = 1 << 20

Waiting = Callable[[float], None]
"""Told of each wait, in seconds, before it begins."""


class Temporary(Unavailable):
    """May work when it is tried again. after: seconds that the registry asks to wait, or 0."""

    def __init__(self, message: str, after: float = 0) -> None:
        super().__init__(message)
        self.after = after


class Backoff:
    """Counts failures and waits between them: half a second, then twice as long each time."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._failures = 0
        self._gained = 0

    def gain(self, size: int) -> None:
        """Note bytes that arrived: after a mebibyte earlier failures do not count any more."""
        self._gained += size
        if self._gained >= _LEEWAY:
            self._failures = self._gained = 0

    async def wait(self, error: Unavailable) -> None:
        """Wait before the next try; raise the error when there were enough."""
        self._failures += 1
        asked = error.after if isinstance(error, Temporary) else 0
        if self._failures >= _TRIES or asked > _LONGEST:
            raise error
        # Spread, so that many hosts do not come back in the same moment.
        own = _FIRST * 2 ** (self._failures - 1) * random.uniform(0.75, 1.25)
        pause = max(own, asked)
        self._waiting(pause)
        await asyncio.sleep(pause)


def after(value: str) -> float:
    """Read ``Retry-After`` (RFC 9110, section 10.2.3): seconds or a date; 0 for anything else.

    >>> after("7"), after("soon")
    (7.0, 0.0)
    """
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
