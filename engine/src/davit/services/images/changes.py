"""Dockerfile instructions that change an image's configuration, as ``import`` and ``commit`` take.

Source: the Dockerfile reference of Docker's documentation.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from davit.errors import InvalidParameter
from davit.model.build import Command
from davit.model.config import ContainerConfig
from davit.spec.dockerfile import metadata

_KNOWN = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)


def apply(config: ContainerConfig, changes: Iterable[str]) -> ContainerConfig:
    """Return ``config`` after the instructions. Raises InvalidParameter naming the bad one."""
    for line in changes:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = text.partition(" ")
        name, rest = name.upper(), rest.strip()
        if name not in _KNOWN:
            raise InvalidParameter(
                f"{name} is not a valid change command; known: {', '.join(_KNOWN)}"
            )
        if not rest:
            raise InvalidParameter(f"change {text!r}: {name} requires an argument")
        try:
            config = metadata.apply(config, _command(name, rest))
        except ValueError as error:
            raise InvalidParameter(f"change {text!r}: {error}") from None
    return config


def _command(name: str, text: str) -> Command:
    """One line as the Dockerfile's parser would tell it; for builds that is a program's work."""
    original, flags = f"{name} {text}", []
    if name == "HEALTHCHECK":
        while text.startswith("--"):
            option, _, text = text.partition(" ")
            flags.append(option)
            text = text.strip()
        kind, _, rest = text.partition(" ")
        words = _json_list(rest.strip())
        found = [kind, *(words or ([rest.strip()] if rest.strip() else []))]
        return Command(name=name, words=found, json=bool(words), flags=flags)
    words = _json_list(text) if name in ("CMD", "ENTRYPOINT", "VOLUME") else None
    if words:
        return Command(name=name, words=words, json=True)
    if name in ("ENV", "LABEL"):
        return Command(name=name, words=_pairs(text))
    if name == "EXPOSE":
        return Command(name=name, words=text.split())
    if name == "VOLUME":
        return Command(name=name, words=shlex.split(text))
    return Command(name=name, words=[text], original=original)


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _pairs(text: str) -> list[str]:
    """``k=v k2="v 2"``, or the old form ``k the rest is the value``."""
    words = shlex.split(text)
    if "=" not in words[0]:
        key, _, value = text.partition(" ")
        if not value.strip():
            raise ValueError("must have two arguments, or be key=value")
        return [key, value.strip()]
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(f"syntax error - can't find = in {word!r}. Must be of the form: k=v")
        pairs += [key, value]
    return pairs
