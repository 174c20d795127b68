"""Which records of the build cache a pruning takes."""

from __future__ import annotations

import pytest

from davit.model.build import MOUNT, STEP, CacheLimits, CacheRecord
from davit.model.filters import Filters
from davit.services.build.pruning import chosen

# Two builds that share their first step, a step of an image with a name, one that runs, a cache.
RECORDS = [
    CacheRecord(id="a", kind=STEP, size=10, created=1),
    CacheRecord(id="b", kind=STEP, size=10, created=2, parent="a"),
    CacheRecord(id="c", kind=STEP, size=10, created=5, parent="a", description="RUN c"),
    CacheRecord(id="named", kind=STEP, size=10, created=3, is_shared=True),
    CacheRecord(id="running", kind=STEP, size=10, created=0, is_used=True),
    CacheRecord(id="m", kind=MOUNT, size=10, created=4),
]


@pytest.mark.parametrize(
    ("filters", "limits", "every", "ids"),
    [
        ({}, {}, False, "a b m c"),
        ({}, {}, True, "a b named m c"),
        ({"id": ["a"]}, {}, False, "a"),
        ({"type": [MOUNT]}, {}, False, "m"),
        ({"parent": ["a"]}, {}, False, "b c"),
        ({"description": ["RUN c"]}, {}, False, "c"),
        ({"private": ["true"]}, {}, True, "a b m c"),
        ({"shared": ["1"]}, {}, True, "named"),
        ({"inuse": ["true"]}, {}, True, ""),
        ({}, {"reserved": 60}, True, ""),
        ({}, {"reserved": 59}, True, "b"),
        ({}, {"reserved": 31}, True, "b named m"),
        # A step goes after those that follow it, however old it is.
        ({}, {"reserved": 1}, True, "b named m c a"),
        ({}, {"most": 45}, True, "b named"),
        ({}, {"most": 45, "reserved": 55}, True, "b"),
        ({}, {"free": 100}, True, ""),
        ({}, {"free": 115}, True, "b named"),
        ({}, {"free": 115, "reserved": 50}, True, "b"),
    ],
)
def test_chosen(
    filters: dict[str, list[str]], limits: dict[str, int], every: bool, ids: str
) -> None:
    going = chosen(RECORDS, Filters(filters), CacheLimits(**limits), 100, every=every)
    assert [record.id for record in going] == ids.split()


def test_times() -> None:
    recent = CacheRecord(id="new", kind=STEP, size=1, created=1 << 62)
    for name in ("until", "unused-for"):
        filters = Filters({name: ["1h"]})
        going = chosen([RECORDS[0], recent], filters, CacheLimits(), 0, every=True)
        assert [record.id for record in going] == ["a"]
