"""Patterns of paths."""

from __future__ import annotations

import pytest

from davit.errors import InvalidParameter
from davit.spec.dockerfile.match import Ignored, wildcard


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        (["*.md"], "a.md", True),
        (["*.md"], "sub/a.md", False),
        (["**/*.md"], "sub/deep/a.md", True),
        (["**/*.md"], "a.md", True),
        (["sub"], "sub/deep/a", True),
        (["/sub/"], "sub", True),
        (["./sub"], "sub", True),
        (["sub/**"], "sub/a", True),
        (["sub/**"], "sub", False),
        (["a?c"], "abc", True),
        (["a?c"], "a/c", False),
        (["[a-c].x"], "b.x", True),
        (["[^a-c].x"], "b.x", False),
        ([r"\*"], "*", True),
        ([r"\*"], "a", False),
        (["*", "!keep"], "keep", False),
        (["*", "!keep"], "other", True),
        (["sub", "!sub/keep"], "sub/keep", False),
        (["sub", "!sub/keep"], "sub/other", True),
        (["!keep", "*"], "keep", True),
        (["*.md", "!README*.md", "README-secret.md"], "README.md", False),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["# note", "", "  a  "], "a", True),
        (["# note"], "# note", False),
        (["a.b"], "axb", False),
    ],
)
def test_ignored(lines: list[str], path: str, ignored: bool) -> None:
    assert (path in Ignored(lines)) is ignored


@pytest.mark.parametrize("line", ["!", "[a", "a\\"])
def test_patterns_that_cannot_be_read(line: str) -> None:
    with pytest.raises(InvalidParameter):
        Ignored([line])


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "sub/a.txt", False),
        ("*/a.txt", "sub/a.txt", True),
        ("**/a.txt", "x/y/a.txt", False),
        ("hom?.txt", "home.txt", True),
        ("arr[[]0].txt", "arr[0].txt", True),
    ],
)
def test_wildcards(pattern: str, path: str, fits: bool) -> None:
    assert bool(wildcard(pattern).match(path)) is fits
