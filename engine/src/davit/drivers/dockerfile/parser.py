"""Dockerfiles, read by BuildKit's own parser in a short-lived child process."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import msgspec

from davit.errors import InvalidParameter, SystemFailure, Unavailable
from davit.model.build import Command
from davit.sys import process

_CHILD = Path(__file__).with_name("child.py")
# A build whose steps are all cached takes hardly longer than the parser's start.
_REMEMBERED = 16
_LONGEST = 64 << 10
_known: dict[bytes, list[Command]] = {}


class _Parsed(msgspec.Struct, frozen=True):
    commands: list[Command] = []
    error: str = ""


async def parse(text: bytes) -> list[Command]:
    """Read a Dockerfile. Raises InvalidParameter in the parser's words.

    What was read last is remembered.
    """
    commands = _known.pop(text, None)
    if commands is None:
        commands = await _parse(text)
    if len(text) <= _LONGEST:
        _known[text] = commands
    if len(_known) > _REMEMBERED:
        del _known[next(iter(_known))]
    return list(commands)


async def _parse(text: bytes) -> list[Command]:
    found = importlib.util.find_spec("dockerfile")
    if found is None or found.origin is None:
        raise Unavailable("the Python package dockerfile is missing: it belongs to davit's bundle")
    library = str(Path(found.origin).parent)
    done = await process.run([sys.executable, "-I", "-S", str(_CHILD), library], stdin=text)
    if done.status:
        raise SystemFailure(f"the Dockerfile's parser failed: {done.reason}")
    parsed = msgspec.json.decode(done.stdout, type=_Parsed)
    if parsed.error:
        raise InvalidParameter(f"dockerfile parse error: {parsed.error}")
    return parsed.commands
