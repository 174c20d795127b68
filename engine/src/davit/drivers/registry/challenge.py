"""Pure: what a registry asks for when it answers 401.

Sources: RFC 9110, section 11.6.1 (WWW-Authenticate); distribution's token authentication.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from davit.errors import Unavailable

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME = re.compile(rf"({_TOKEN})(?=\s|,|\Z)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Challenge:
    """scheme: lower case, ``basic`` or ``bearer``. parameters: names in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> list[Challenge]:
    """Read all values of ``WWW-Authenticate``; one value may hold several challenges."""
    found: list[Challenge] = []
    for header in headers:
        position = 0
        while position < len(header):
            # "realm=" is a parameter, "Basic " the next scheme: a parameter is tried first.
            if (match := _PARAMETER.match(header, position)) and found:
                name, quoted, plain = match.groups()
                value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
                found[-1].parameters[name.lower()] = value
            elif match := _SCHEME.match(header, position):
                found.append(Challenge(match[1].lower()))
            position = match.end() if match else position + 1
    return found


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the one to answer: a token if that is offered, else the password."""
    by_scheme = {challenge.scheme: challenge for challenge in challenges}
    return by_scheme.get("bearer") or by_scheme.get("basic")


def require(challenges: Sequence[Challenge], place: str) -> Challenge:
    """Choose, or raise Unavailable saying what is asked for there."""
    chosen = choose(challenges)
    if chosen is None:
        schemes = ", ".join(entry.scheme for entry in challenges) or "nothing"
        raise Unavailable(f"{place} asks for {schemes}: davit knows Basic and Bearer")
    return chosen
