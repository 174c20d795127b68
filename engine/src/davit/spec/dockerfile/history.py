"""Instructions as texts: how the history of an image has them."""

from __future__ import annotations

from collections.abc import Mapping

from davit.model import codec
from davit.model.build import Command
from davit.model.config import ContainerConfig
from davit.spec.dockerfile import metadata


def labels(given: Mapping[str, str]) -> Command:
    """The client's labels as the last instruction."""
    pairs = [word for name in sorted(given) for word in (_quoted(name), _quoted(given[name]))]
    text = " ".join(f"{name}={value}" for name, value in sorted(given.items()))
    return Command(name="LABEL", words=pairs, original=f"LABEL {text}")


def _quoted(text: str) -> str:
    """A word that expands to just this text."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def shown(command: Command, config: ContainerConfig) -> str:
    """An instruction as the history has it."""
    words = command.words
    if command.name in ("CMD", "ENTRYPOINT"):
        line = metadata.command_line(config, command) if words else []
        return f"{command.name} [{' '.join(_go_quoted(word) for word in line)}]"
    if command.name in ("ENV", "LABEL"):
        pairs = metadata.pairs(words).items()
        return f"{command.name} {' '.join(f'{name}={value}' for name, value in pairs)}"
    if command.name in ("VOLUME", "SHELL"):
        return f"{command.name} [{' '.join(words)}]"
    if command.name == "WORKDIR":
        return f"WORKDIR {config.working_dir}"
    if command.name == "ONBUILD":
        return f"ONBUILD {metadata.trigger(command)}"
    if command.name == "EXPOSE":
        words = sorted(words)
    return " ".join([command.name, *command.flags, *words])


def _go_quoted(word: str) -> str:
    """As Go's ``%q`` has it, for all that is plain text."""
    return codec.encode(word).decode()
