"""Dockerfile instructions that change an image's configuration, as ``import`` and ``commit`` take.

Source: the Dockerfile reference of Docker's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from davit.errors import InvalidParameter
from davit.model.build import Command
from davit.model.config import ContainerConfig
from davit.spec.dockerfile import metadata
from davit.spec.dockerfile.expand import expand, split

_CONTINUED = re.compile(r"\\[ \t]*\n")
_KNOWN = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL"),
    *("ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)


def apply(config: ContainerConfig, changes: Iterable[str]) -> ContainerConfig:
    """Return ``config`` after the instructions. Raises InvalidParameter naming the bad one.

    ``$name`` stands for what the environment has by then, as in a Dockerfile.
    """
    has_command = False
    for line in _CONTINUED.sub("", "\n".join(changes)).splitlines():
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
        if name in ("CMD", "ENTRYPOINT") and _json_list(rest) == []:
            continue  # for Docker an empty one is none: what was there is kept
        env = dict(item.partition("=")[::2] for item in config.env)
        try:
            config = metadata.apply(config, _command(name, rest, env))
        except ValueError as error:
            raise InvalidParameter(f"change {text!r}: {error}") from None
        has_command = has_command or name == "CMD"
        if name == "ENTRYPOINT" and not has_command:
            # The command was meant for the entrypoint that was there before.
            config = replace(config, cmd=None)
    return config


def _command(name: str, text: str, env: Mapping[str, str]) -> Command:
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
        expanded = [expand(word, env) for word in words] if name == "VOLUME" else words
        return Command(name=name, words=expanded, json=True)
    if name in ("ENV", "LABEL"):
        return Command(name=name, words=_pairs(text, env))
    if name in ("EXPOSE", "VOLUME"):
        return Command(name=name, words=split(text, env))
    if name in ("STOPSIGNAL", "USER", "WORKDIR"):
        return Command(name=name, words=[expand(text, env)])
    return Command(name=name, words=[text], original=original)


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _pairs(text: str, env: Mapping[str, str]) -> list[str]:
    """``k=v k2="v 2"``, or the old form ``k the rest is the value``."""
    words = _raw_words(text)
    if "=" not in words[0]:
        key, _, value = text.partition(" ")
        if not value.strip():
            raise ValueError("must have two arguments, or be key=value")
        return [expand(key, env), expand(value.strip(), env)]
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(f"syntax error - can't find = in {word!r}. Must be of the form: k=v")
        pairs += [expand(key, env), expand(value, env)]
    return pairs


def _raw_words(text: str) -> list[str]:
    """Split at blanks that no quote or backslash protects; these stay for :func:`expand`."""
    words, word, quote = [], "", ""
    rest = iter(text)
    for char in rest:
        if char.isspace() and not quote:
            words += [word] if word else []
            word = ""
            continue
        word += char
        if char == "\\" and quote != "'":
            word += next(rest, "")
        elif char == quote:
            quote = ""
        elif char in "\"'" and not quote:
            quote = char
    return [*words, word] if word else words
