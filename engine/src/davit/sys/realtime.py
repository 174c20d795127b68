"""Shares of the real-time scheduler for cgroups (v1, kernel: scheduler/sched-rt-group).

A new cgroup has none, and its own are those of its parent that no sibling has.
"""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

_RUNTIME, _PERIOD = "cpu.rt_runtime_us", "cpu.rt_period_us"


def is_there(hierarchy: Path) -> bool:
    return (hierarchy / _RUNTIME).exists()


def grant(hierarchy: Path, group: str, *, runtime: int, period: int) -> None:
    """Let the parents of a cgroup that is to be made have enough for it. Blocking.

    hierarchy: where ``cpu`` is mounted; group: below it, ``/davit-1a2b3c4d/ID``; runtime: µs, out
    of each period of ``period`` µs. Raises OSError (EINVAL) when nothing is left.
    """
    need = Fraction(runtime, period)
    grants: list[tuple[Path, Fraction]] = []
    child = hierarchy / group.strip("/")
    while (parent := child.parent) != hierarchy:
        parent.mkdir(parents=True, exist_ok=True)
        siblings = (entry for entry in parent.iterdir() if entry.is_dir() and entry != child)
        need = max(_share(parent), sum(map(_share, siblings), need))
        grants.append((parent, need))
        child = parent
    for directory, share in reversed(grants):
        if share > _share(directory):
            of = int((directory / _PERIOD).read_text())
            (directory / _RUNTIME).write_text(str(math.ceil(share * of)))


def _share(group: Path) -> Fraction:
    try:
        runtime = int((group / _RUNTIME).read_text())
        return Fraction(max(runtime, 0), int((group / _PERIOD).read_text()))
    except FileNotFoundError:  # it ends meanwhile
        return Fraction(0)
