"""The few shapes that the files of cgroups have. All of it is blocking, and quick."""

from __future__ import annotations

from pathlib import Path


def number(path: Path) -> int:
    """Return a file's one number; 0 when there is no such file, or when it says ``max``."""
    text = read(path).strip()
    return int(text) if text.isdecimal() else 0


def table(path: Path) -> dict[str, int]:
    """Return a file of lines ``name number`` (flat keyed, cgroup-v2.rst)."""
    pairs = (line.split() for line in read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def read(path: Path) -> str:
    """Return a file's text, empty when its controller, or the cgroup by now, is not there."""
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        # ENODEV is what reading from a cgroup that is being removed gives.
        return ""
