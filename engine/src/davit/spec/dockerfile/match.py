"""Patterns of paths: Go's ``filepath.Match`` for COPY, and ``.dockerignore``.

Source: Dockerfile reference, ".dockerignore file"; documentation of Go's path/filepath.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from davit.errors import InvalidParameter

WILDCARDS = re.compile(r"[*?\[\\]")


def wildcard(pattern: str, *, deep: bool = False) -> re.Pattern[str]:
    """Compile a pattern whose ``*`` and ``?`` do not match a slash. Raises InvalidParameter.

    deep: ``**`` stands for any number of directories.
    """
    return _compile(pattern, deep=deep)


def ignore_patterns(lines: Iterable[str]) -> list[str]:
    """The patterns of a ``.dockerignore``, exceptions with ``!``. Raises InvalidParameter."""
    found = []
    for line in lines:
        if line.startswith("#") or not (text := line.strip()):
            continue
        mark = "!" if text.startswith("!") else ""
        text = text[len(mark) :].strip()
        if not text:
            raise InvalidParameter("failed to parse .dockerignore: illegal exclusion pattern !")
        path = posixpath.normpath(text).lstrip("/")
        if path not in ("", "."):
            found.append(mark + path)
    return found


class Ignored:
    """The patterns of a ``.dockerignore``: the last one that fits a path or a parent decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises InvalidParameter for a pattern that cannot be read."""
        self._patterns: list[tuple[bool, re.Pattern[str]]] = []
        for text in ignore_patterns(lines):
            exception = text.startswith("!")
            self._patterns.append((exception, _compile(text[exception:], deep=True)))

    def __contains__(self, path: str) -> bool:
        parents = [path]
        while (parent := posixpath.dirname(parents[-1])) not in ("", "/"):
            parents.append(parent)
        ignored = False
        for exception, pattern in self._patterns:
            if exception == ignored and any(pattern.match(one) for one in parents):
                ignored = not exception
        return ignored

    @property
    def has_exceptions(self) -> bool:
        """Whether something below an ignored directory may be wanted nevertheless."""
        return any(exception for exception, _ in self._patterns)


def _compile(pattern: str, *, deep: bool) -> re.Pattern[str]:
    """deep: ``**`` stands for any number of directories."""
    out = ""
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if deep and pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
                out += "(?:.*/)?"
            else:
                out += ".*"
            continue
        at += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[":
            group = re.compile(r"(\^?)((?:\\.|[^\]\\])+)\]").match(pattern, at)
            if group is None:
                raise InvalidParameter(f"syntax error in pattern: {pattern!r}")
            out += f"[{group[1]}{group[2].replace('[', chr(92) + '[')}]"
            at = group.end()
        elif char == "\\":
            if at == len(pattern):
                raise InvalidParameter(f"syntax error in pattern: {pattern!r}")
            out += re.escape(pattern[at])
            at += 1
        else:
            out += re.escape(char)
    try:
        return re.compile(out + r"\Z", re.DOTALL)
    except re.error:
        raise InvalidParameter(f"syntax error in pattern: {pattern!r}") from None
