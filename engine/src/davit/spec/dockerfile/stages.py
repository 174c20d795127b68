"""The stages of a Dockerfile: checked, and which of them a target needs. Pure.

Source: Dockerfile reference, "FROM"; Docker's documentation of multi-stage builds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from davit.errors import InvalidParameter
from davit.model.build import Command
from davit.spec.dockerfile.arguments import Arguments
from davit.spec.dockerfile.expand import ExpansionError, expand

SCRATCH = "scratch"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9._-]*\Z")
# How many words an instruction takes, at least and at most, and the flags that it knows.
_SHAPES: dict[str, tuple[int, int | None, tuple[str, ...]]] = {
    "ADD": (2, None, ("chown", "chmod", "checksum", "exclude", "keep-git-dir", "link", "unpack")),
    "ARG": (1, None, ()),
    "CMD": (0, None, ()),
    "COPY": (2, None, ("from", "chown", "chmod", "exclude", "link", "parents")),
    "ENTRYPOINT": (0, None, ()),
    "ENV": (2, None, ()),
    "EXPOSE": (1, None, ()),
    "FROM": (1, 3, ("platform",)),
    "HEALTHCHECK": (
        *(1, None),
        ("interval", "timeout", "start-period", "start-interval", "retries"),
    ),
    "LABEL": (2, None, ()),
    "MAINTAINER": (1, 1, ()),
    "ONBUILD": (0, None, ()),
    "RUN": (1, None, ("mount", "network", "security")),
    "SHELL": (1, None, ()),
    "STOPSIGNAL": (1, 1, ()),
    "USER": (1, 1, ()),
    "VOLUME": (1, None, ()),
    "WORKDIR": (1, 1, ()),
}


@dataclass
class Stage:
    """One FROM and what follows it. base: an image, an earlier stage's name, or ``scratch``."""

    index: int
    base: str
    source: Command
    name: str = ""
    platform: str = ""
    commands: list[Command] = field(default_factory=list)


def fail(line: int, reason: object) -> InvalidParameter:
    """The error that clients expect for a Dockerfile that is wrong."""
    return InvalidParameter(f"dockerfile parse error line {line}: {reason}")


def check(command: Command) -> None:
    """Raise InvalidParameter for an instruction that does not exist or has a wrong shape."""
    shape = _SHAPES.get(command.name)
    if shape is None:
        raise fail(command.line, f"unknown instruction: {command.name}")
    least, most, known = shape
    for flag in command.flags if command.name != "ONBUILD" else ():
        name = flag[2:].partition("=")[0]
        if name not in known:
            raise fail(command.line, f"unknown flag: --{name}")
    words = [word for word in command.words if word] if least == 1 else command.words
    if len(words) < least:
        count = "one argument" if least == 1 else "two arguments"
        exact = "exactly" if most == 1 else "at least"
        raise fail(command.line, f"{command.name} requires {exact} {count}")
    if most is not None and len(words) > most:
        raise fail(command.line, f"{command.name} requires at most {most} arguments")


def divide(
    commands: Sequence[Command],
    given: Mapping[str, str | None],
    platforms: Mapping[str, str],
    escape: str,
) -> tuple[list[Stage], Arguments]:
    """Return the stages and the global arguments. Raises InvalidParameter.

    given: build arguments of the client. platforms: the automatic arguments.
    """
    arguments = Arguments(given, platforms)
    stages: list[Stage] = []
    for command in commands:
        check(command)
        try:
            if command.name == "FROM":
                stages.append(_stage(command, len(stages), arguments, escape))
            elif stages:
                stages[-1].commands.append(command)
            elif command.name == "ARG":
                arguments.declare(command, {}, escape)
            else:
                raise fail(command.line, "no build stage in current context")
        except (ExpansionError, ValueError) as error:
            if isinstance(error, InvalidParameter):
                raise
            raise fail(command.line, error) from None
    if not stages:
        raise InvalidParameter("no build stage in current context: the Dockerfile has no FROM")
    return stages, arguments


def needed(stages: Sequence[Stage], target: str) -> list[Stage]:
    """Return the stages that the target needs, itself last; empty: the last one.

    Raises InvalidParameter when there is no such stage.
    """
    wanted = stages[-1]
    if target:
        found = find(stages, target)
        if found is None:
            raise InvalidParameter(f"failed to reach build target {target} in Dockerfile")
        wanted = found
    marked: set[int] = set()
    pending = [wanted]
    while pending:
        stage = pending.pop()
        if stage.index in marked:
            continue
        marked.add(stage.index)
        earlier = stages[: stage.index]
        named = [by_name(earlier, stage.base)]
        for command in stage.commands:
            named += [find(earlier, name) for name in _sources(command)]
        pending += [other for other in named if other is not None]
    return [stage for stage in stages if stage.index in marked]


def by_name(stages: Sequence[Stage], name: str) -> Stage | None:
    """The last stage that has this name; the case does not count."""
    wanted = name.lower()
    return (
        next((stage for stage in reversed(stages) if stage.name == wanted), None)
        if name
        else (None)
    )


def find(stages: Sequence[Stage], name: str) -> Stage | None:
    """A stage by its name or its number."""
    found = by_name(stages, name)
    if found is None and name.isdecimal() and int(name) < len(stages):
        return stages[int(name)]
    return found


def _sources(command: Command) -> list[str]:
    """The stages that an instruction takes files from, and images."""
    if command.name == "COPY":
        return [flag.partition("=")[2] for flag in command.flags if flag.startswith("--from=")]
    if command.name == "RUN":
        mounts = [flag for flag in command.flags if flag.startswith("--mount=")]
        options = [option for flag in mounts for option in flag[len("--mount=") :].split(",")]
        return [option[len("from=") :] for option in options if option.startswith("from=")]
    return []


def _stage(command: Command, index: int, arguments: Arguments, escape: str) -> Stage:
    words = command.words
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise fail(command.line, "FROM requires either one or three arguments")
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.match(name):
        raise fail(
            command.line,
            f"invalid name for build stage: {words[2]!r}, name can't start with a number or "
            "contain symbols",
        )
    values = arguments.visible({})
    base = expand(words[0], values, escape)
    if not base:
        raise fail(command.line, f"base name ({words[0]}) should not be blank")
    platform = ""
    for flag in command.flags:
        platform = expand(flag.partition("=")[2], values, escape)
    return Stage(index, base, command, name, platform)


def escape_character(text: str) -> str:
    """The directive ``# escape=`` at a Dockerfile's beginning, else a backslash."""
    for line in text.splitlines():
        match = re.match(r"#\s*(syntax|escape|check)\s*=\s*(.+?)\s*\Z", line.strip(), re.I)
        if match is None:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"
