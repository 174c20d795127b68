"""Pure: signal names and numbers, and when which of them ends a container for good."""

from __future__ import annotations

import signal

from davit.errors import InvalidParameter

_REALTIME_MIN, _REALTIME_MAX = 34, 64


def parse(text: str) -> int:
    """Return the number of ``TERM``, ``SIGTERM``, ``15``, ``RTMIN+3``. Raises InvalidParameter."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isdecimal():
        number = int(name)
        if 0 < number <= _REALTIME_MAX:
            return number
    base, sign, offset = name.replace("-", "+-").partition("+")
    if base in ("RTMIN", "RTMAX") and (not sign or offset.lstrip("-").isdecimal()):
        start = _REALTIME_MIN if base == "RTMIN" else _REALTIME_MAX
        number = start + int(offset or 0)
        if _REALTIME_MIN <= number <= _REALTIME_MAX:
            return number
    elif f"SIG{name}" in signal.Signals.__members__:
        return int(signal.Signals[f"SIG{name}"])
    raise InvalidParameter(f"invalid signal: {text}")
