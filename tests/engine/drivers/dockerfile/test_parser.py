"""Dockerfiles, read in a child process."""

from __future__ import annotations

import sys

import pytest
from blockbuster import BlockBuster

from davit.drivers.dockerfile import parser
from davit.errors import InvalidParameter
from davit.model.build import Command, Heredoc
from davit.sys import process


async def test_what_is_read(blockbuster: BlockBuster) -> None:
    text = b"\xef\xbb\xbf# escape=`\nFROM a `\n  AS b\n# x\n"
    text += b'COPY --from=c <<E /d/\n$F\nE\nCMD ["g"]\n'
    first, copy, command = await parser.parse(text)
    assert first == Command(name="FROM", words=["a", "AS", "b"], original="FROM a   AS b", line=2)
    assert copy.flags == ["--from=c"]
    assert copy.heredocs == [Heredoc(name="E", content="$F\n")]
    assert (command.words, command.json) == (["g"], True)


async def test_what_the_library_leaves_out() -> None:
    text = b"# check=skip=all\n# Escape=`\nFROM a\nONBUILD RUN x `\n <<E\n  y\nE\nRUN z\n"
    _, trigger, run = await parser.parse(text)
    assert trigger.original == "ONBUILD RUN x `\n <<E\n  y\nE"
    assert (trigger.line, run.line, run.words) == (4, 8, ["z"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "file with no instructions"),
        (b"FROM a\nENV b", "ENV must have two arguments"),
        (b"FROM a\nRUN <<E\nx", "unterminated heredoc"),
    ],
)
async def test_what_cannot_be_read(text: bytes, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        await parser.parse(text)


async def test_the_last_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    run = process.run

    async def counted(argv: list[str], *, stdin: bytes) -> process.Completed:
        started.append(stdin)
        return await run(argv, stdin=stdin)

    monkeypatch.setattr(process, "run", counted)
    texts = [b"FROM scratch\nENV number=%d\n" % number for number in range(17)]
    for text in [texts[0], texts[0], *texts[1:], texts[16], texts[0]]:
        commands = await parser.parse(text)
        assert commands[1].words[1].encode() in text
        commands.clear()  # what a caller does with its list is its own affair
    assert started == [*texts, texts[0]]
    assert "dockerfile" not in sys.modules
