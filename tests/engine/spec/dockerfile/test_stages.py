"""Stages: their graph, their arguments, and what is refused before anything is built."""

from __future__ import annotations

import asyncio

import pytest

from davit.drivers.dockerfile import parser
from davit.errors import InvalidParameter
from davit.model.build import Command
from davit.spec.dockerfile import stages
from davit.spec.dockerfile.arguments import Arguments
from davit.spec.dockerfile.stages import Stage


def read(text: str) -> list[Command]:
    return asyncio.run(parser.parse(text.encode()))


def divide(text: str, **given: str) -> list[Stage]:
    return stages.divide(read(text), given, {"TARGETARCH": "amd64"}, "\\")[0]


GRAPH = """
FROM base AS one
FROM one AS two
COPY --from=0 /a /a
FROM other AS Three
RUN --mount=type=bind,from=two,target=/x true
FROM scratch
COPY --from=nowhere /a /a
"""


@pytest.mark.parametrize(
    ("target", "needed"),
    [("", [3]), ("one", [0]), ("TWO", [0, 1]), ("three", [0, 1, 2]), ("2", [0, 1, 2])],
)
def test_only_what_a_target_needs_is_built(target: str, needed: list[int]) -> None:
    assert [stage.index for stage in stages.needed(divide(GRAPH), target)] == needed


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(InvalidParameter, match="failed to reach build target four in Dockerfile"):
        stages.needed(divide(GRAPH), "four")


def test_global_arguments_choose_the_image() -> None:
    text = "ARG V=1\nARG NAME=base:$V\nFROM --platform=linux/$TARGETARCH $NAME\nFROM x${NONE:-y}"
    first, second = divide(text)
    assert (first.base, first.platform, second.base) == ("base:1", "linux/amd64", "xy")
    assert divide(text, V="2")[0].base == "base:2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FOO x", "line 1: unknown instruction: FOO"),
        ("RUN x\nFROM a", "line 1: no build stage in current context"),
        ("ARG X", "no build stage"),
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a AS 1x", "invalid name for build stage"),
        ("FROM $X", "should not be blank"),
        ("FROM a\nCOPY x", "line 2: COPY requires at least two arguments"),
        ("FROM a\nCOPY --foo=1 x y", "line 2: unknown flag: --foo"),
        ("FROM a\nWORKDIR", "WORKDIR requires exactly one argument"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        divide(text)


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("# escape=`\nFROM x", "`"),
        ("# syntax=a/b:1\n#escape = `\nFROM x", "`"),
        ("# check=skip=all\n# escape=`\nFROM x", "`"),
        ("# other=a\n# escape=`\nFROM x", "\\"),
        ("# a comment\n# escape=`\nFROM x", "\\"),
        ("FROM x\n# escape=`", "\\"),
    ],
)
def test_the_escape_directive(text: str, character: str) -> None:
    assert stages.escape_character(text) == character


def arg(*words: str) -> Command:
    return Command(name="ARG", words=list(words))


def test_a_stage_sees_only_what_it_declares() -> None:
    outer = Arguments({"GIVEN": "g", "HTTP_PROXY": "p", "OTHER": "o", "NONE": None})
    outer.declare(arg("GLOBAL=1", "GIVEN=default"), {}, "\\")
    stage = outer.stage()
    assert stage.visible({}) == {"HTTP_PROXY": "p"}
    stage.declare(arg("GLOBAL", "GIVEN=mine", "NEW=${GLOBAL}2", "NONE"), {}, "\\")
    assert stage.declared == {"GLOBAL": "1", "GIVEN": "g", "NEW": "12"}
    assert stage.visible({"GIVEN": "env"})["GIVEN"] == "env"
    assert stage.silent == {"HTTP_PROXY": "p"}
    stage.declare(arg("HTTP_PROXY"), {}, "\\")
    assert (stage.silent, stage.declared["HTTP_PROXY"]) == ({}, "p")
    assert outer.stage().declared == {}
    assert outer.unused() == ["OTHER"]
