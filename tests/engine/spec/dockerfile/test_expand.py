"""Words of Dockerfiles: variables, quotes, escapes."""

from __future__ import annotations

import pytest

from davit.spec.dockerfile.expand import ExpansionError, expand, split

VALUES = {"A": "one", "EMPTY": "", "P": "/usr/lib/x.tar.gz", "S": "a b", "1": "first"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$A", "one"),
        ("${A}", "one"),
        ("$A-$A", "one-one"),
        ("$AB", ""),
        ("${A}B", "oneB"),
        ("$1", "first"),
        ("$", "$"),
        ("a$", "a$"),
        ("$/x", "$/x"),
        (r"\$A", "$A"),
        (r"\\$A", r"\one"),
        ("'$A'", "$A"),
        ('"$A"', "one"),
        (r'"\$A"', "$A"),
        (r'"\n"', r"\n"),
        (r'"a\"b"', 'a"b'),
        ("a\"b\"'c'", "abc"),
        ("${NONE:-w}", "w"),
        ("${EMPTY:-w}", "w"),
        ("${EMPTY-w}", ""),
        ("${A:-w}", "one"),
        ("${NONE:+w}", ""),
        ("${A:+w}", "w"),
        ("${EMPTY:+w}", ""),
        ("${EMPTY+w}", "w"),
        ("${A:?gone}", "one"),
        ("${NONE:-$A}", "one"),
        ("${NONE:-${A}/x}", "one/x"),
        ("${NONE:-'}'}", "}"),
        ("${P#*/}", "usr/lib/x.tar.gz"),
        ("${P##*/}", "x.tar.gz"),
        ("${P%.*}", "/usr/lib/x.tar"),
        ("${P%%.*}", "/usr/lib/x"),
        ("${P#x}", "/usr/lib/x.tar.gz"),
        (r"${P%\.gz}", "/usr/lib/x.tar"),
        ("${P/lib/share}", "/usr/share/x.tar.gz"),
        ("${P//a/o}", "/usr/lib/x.tor.gz"),
        ("${A/n?/-}", "o-"),
        ("${NONE/a/b}", ""),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, VALUES) == expanded


def test_another_escape_character() -> None:
    assert expand(r"c:\dir`$A", VALUES, "`") == r"c:\dir$A"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'open", "matching single-quote"),
        ('"open', "matching double-quote"),
        ("${A", "unsupported modifier"),
        ("${}", "bad substitution"),
        ("${A:", "unsupported modifier"),
        ("${A!x}", "unsupported modifier"),
        ("${A:=x}", "unsupported modifier"),
        ("${NONE:-x", "missing '}'"),
        ("${NONE:?is wanted}", "NONE: is wanted"),
        ("${NONE?}", "NONE: not allowed to be unset"),
    ],
)
def test_what_cannot_be_expanded(text: str, reason: str) -> None:
    with pytest.raises(ExpansionError, match=reason.replace("(", r"\(")):
        expand(text, VALUES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("$S", ["a", "b"]),
        ('"$S"', ["a b"]),
        (r"a\ b c", ["a b", "c"]),
        ("  a  ", ["a"]),
        ("''", [""]),
        ("${NONE:-x y}z", ["x", "yz"]),
        ("$NONE", []),
    ],
)
def test_split(text: str, words: list[str]) -> None:
    assert split(text, VALUES) == words
