"""Which records of the build cache a pruning takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from davit.model.build import CacheLimits, CacheRecord
from davit.model.filters import Filters


def chosen(
    records: Sequence[CacheRecord],
    filters: Filters,
    limits: CacheLimits,
    free: int,
    *,
    every: bool,
) -> list[CacheRecord]:
    """Return what is to go: the oldest first, and a step only after those that follow it.

    free: bytes that the file system has left. every: also what images with a name were made from.
    Filters: ``id``, ``parent``, ``type``, ``description``, ``inuse``, ``shared``, ``private``,
    ``until`` and its older name ``unused-for``. Raises InvalidParameter.
    """
    candidates = [
        record
        for record in records
        if not record.is_used and (every or not record.is_shared) and _fits(record, filters)
    ]
    left = sum(record.size for record in records)
    limit = _limit(limits, left, free)
    children = {record.id: 0 for record in records}
    for record in records:
        if record.parent in children:
            children[record.parent] += 1
    going: list[CacheRecord] = []
    pending = sorted(candidates, key=lambda record: record.created)
    while pending and (left > limit or not limit):
        # Without limits the order does not matter: filters may choose one in the middle.
        leaves = (record for record in pending if not limit or not children[record.id])
        leaf = next(leaves, None)
        if leaf is None:
            break
        pending.remove(leaf)
        going.append(leaf)
        left -= leaf.size
        if leaf.parent in children:
            children[leaf.parent] -= 1
    return going


def _limit(limits: CacheLimits, used: int, free: int) -> int:
    wanted = []
    if limits.most:
        wanted.append(limits.most)
    if limits.free:
        wanted.append(used - max(0, limits.free - free))
    return max(limits.reserved, min(wanted)) if wanted else limits.reserved


def _fits(record: CacheRecord, filters: Filters) -> bool:
    until = filters.until() or Filters({"until": filters.get("unused-for")}).until()
    flags = (
        ("inuse", record.is_used),
        ("shared", record.is_shared),
        ("private", not record.is_shared),
    )
    return (
        (until is None or record.created < until)
        and filters.accepts("id", record.id)
        and filters.accepts("type", record.kind)
        and filters.accepts("parent", record.parent)
        and filters.accepts("description", record.description)
        and all(filters.flag(name) in (None, value) for name, value in flags)
    )
