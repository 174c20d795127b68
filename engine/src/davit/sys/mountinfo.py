"""What is mounted where, and how it propagates.

Sources: proc_pid_mountinfo(5), mount_namespaces(7).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mounted:
    """A mount of this mount namespace. shared, slave: what its peers and its master make it."""

    point: str
    shared: bool
    slave: bool


def holding(path: str) -> Mounted:
    """Return the mount that a path lies on, its links followed. Blocking."""
    return innermost(os.path.realpath(path), Path("/proc/self/mountinfo").read_bytes())


def is_mounted(target: Path) -> bool:
    """Whether something is mounted right there; a bind of the same file system counts. Blocking."""
    return holding(str(target)).point == os.path.realpath(target)


def innermost(path: str, text: bytes) -> Mounted:
    """Pure. Of mounts upon each other the last is the one that is seen."""
    found = Mounted("/", shared=False, slave=False)
    for line in text.splitlines():
        fields = line.split()
        point = os.fsdecode(_ESCAPE.sub(lambda code: bytes([int(code[1], 8)]), fields[4]))
        below = path == point or path.startswith(point.rstrip("/") + "/")
        if below and len(point) >= len(found.point):
            tags = fields[6 : fields.index(b"-")]
            found = Mounted(
                point,
                shared=any(tag.startswith(b"shared:") for tag in tags),
                slave=any(tag.startswith(b"master:") for tag in tags),
            )
    return found
