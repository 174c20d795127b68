"""Times: kept as integer nanoseconds since the epoch (UTC), shown as RFC 3339."""

from __future__ import annotations

import functools
import re
import time
from datetime import datetime, timezone

from davit.errors import InvalidParameter

NEVER = "0001-01-01T00:00:00Z"
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d\d:?\d\d)?)?\Z"
)
_UNIX = re.compile(r"(-?\d+)(?:\.(\d{1,9})\d*)?\Z")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def now() -> int:
    """Return nanoseconds since the epoch."""
    return time.time_ns()


def rfc3339(ns: int) -> str:
    """Render nanoseconds as Go's RFC3339Nano does; 0 is Go's zero time."""
    if ns <= 0:
        return NEVER
    seconds, fraction = divmod(ns, 10**9)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{text}{digits}Z"


def rfc3339_padded(ns: int) -> str:
    """Render nanoseconds with all nine decimals, as log lines have them."""
    seconds, fraction = divmod(ns, 10**9)
    text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Return nanoseconds for an RFC 3339 time; a missing zone is UTC. Raises InvalidParameter."""
    match = _RFC3339.match(text)
    if not match:
        raise InvalidParameter(f"invalid time {text!r}: use RFC 3339 or seconds since the epoch")
    date, clock, fraction, zone = match.groups()
    clock = clock or "00:00:00"
    if clock.count(":") == 1:
        clock += ":00"
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    if ":" not in zone:
        zone = f"{zone[:3]}:{zone[3:]}"
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{zone}")
    except ValueError as error:
        raise InvalidParameter(f"invalid time {text!r}: {error}") from None
    seconds = int((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))


@functools.lru_cache(maxsize=256)
def parse_stamp(stamp: bytes) -> int:
    """Return nanoseconds for a log's time, RFC 3339 with nine decimals: many lines have the same.

    0 for what only looks like one.
    """
    try:
        return parse_rfc3339(stamp.decode("ascii"))
    except InvalidParameter:
        return 0


@functools.lru_cache(maxsize=256)
def utc_stamp(stamp: bytes) -> bytes:
    """Return a log's time as Docker shows it: nine decimals, in UTC."""
    if stamp.endswith(b"+00:00"):
        return stamp[:-6] + b"Z"
    return rfc3339_padded(parse_stamp(stamp)).encode()


def parse_timestamp(text: str, *, at: int | None = None) -> int:
    """Return nanoseconds for what ``since`` and ``until`` accept.

    Seconds since the epoch with up to nine decimals, an RFC 3339 time, or a Go duration
    (``10m``, ``1h30m``) before ``at`` (default: now). Raises InvalidParameter.
    """
    if match := _UNIX.match(text):
        seconds, fraction = match.groups()
        return int(seconds) * 10**9 + int((fraction or "").ljust(9, "0"))
    duration = parse_duration(text)
    if duration is not None:
        return (now() if at is None else at) - duration
    return parse_rfc3339(text)


def parse_duration(text: str) -> int | None:
    """Return nanoseconds for a Go duration such as ``1h30m``, or None when it is not one."""
    if not text or _DURATION.sub("", text):
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)))
