"""What registries ask for, as they write it."""

from __future__ import annotations

import pytest

from davit.drivers.registry.challenge import Challenge, choose, parse

BEARER = Challenge(
    "bearer", {"realm": "https://auth.example/token", "service": "s", "scope": "a:b:pull,push"}
)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], []),
        ([""], []),
        (['Basic realm="the harbour"'], [Challenge("basic", {"realm": "the harbour"})]),
        (["Negotiate"], [Challenge("negotiate")]),
        (
            ['Bearer realm="https://auth.example/token",service="s",scope="a:b:pull,push"'],
            [BEARER],
        ),
        # Blanks, tokens without quotes, names in any case.
        (["BEARER Realm = x , service=y"], [Challenge("bearer", {"realm": "x", "service": "y"})]),
        (['Basic realm="say \\"aye\\", mate"'], [Challenge("basic", {"realm": 'say "aye", mate'})]),
        # Two in one value, or in two.
        (
            ['Basic realm="a", Bearer realm="b"'],
            [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b"})],
        ),
        (
            ['Basic realm="a"', 'Bearer realm="b"'],
            [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b"})],
        ),
        (
            ["Negotiate, Basic realm=a"],
            [Challenge("negotiate"), Challenge("basic", {"realm": "a"})],
        ),
        # Nonsense is skipped, and ends.
        (['="', '"""'], []),
    ],
)
def test_parse(headers: list[str], found: list[Challenge]) -> None:
    assert parse(headers) == found


def test_a_token_is_better_than_the_password() -> None:
    basic = Challenge("basic")
    assert choose([basic, BEARER]) is BEARER
    assert choose([Challenge("negotiate"), basic]) is basic
    assert choose([Challenge("negotiate")]) is None
