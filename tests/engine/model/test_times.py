import pytest

from davit.errors import InvalidParameter
from davit.model import times

SECOND = 10**9


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0001-01-01T00:00:00Z"),
        (SECOND, "1970-01-01T00:00:01Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
    ],
)
def test_rfc3339(ns: int, text: str) -> None:
    assert times.rfc3339(ns) == text


def test_rfc3339_round_trip_keeps_every_nanosecond() -> None:
    moment = times.now()
    assert times.parse_rfc3339(times.rfc3339(moment)) == moment


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("1.5", 1_500_000_000),
        ("1.000000001", SECOND + 1),
        ("1970-01-01T00:00:10Z", 10 * SECOND),
        ("1970-01-01T02:00:10+02:00", 10 * SECOND),
        ("1970-01-01T00:00:10.000000001", 10 * SECOND + 1),
        ("1970-01-02", 86_400 * SECOND),
        ("10s", 90 * SECOND),
        ("1m30s", 10 * SECOND),
    ],
)
def test_timestamp(text: str, ns: int) -> None:
    assert times.parse_timestamp(text, at=100 * SECOND) == ns


@pytest.mark.parametrize("text", ["yesterday", "10 apples", "2024-13-01T00:00:00Z", ""])
def test_bad_timestamp_is_named(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid time"):
        times.parse_timestamp(text)
