"""Instructions that only change an image's configuration. Pure.

Source: Dockerfile reference.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from davit.model import times
from davit.model.build import Command
from davit.model.config import ContainerConfig, HealthConfig

DEFAULT_SHELL = ["/bin/sh", "-c"]
_NO_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER")


def apply(config: ContainerConfig, command: Command) -> ContainerConfig:
    """Return ``config`` after an instruction whose words are expanded.

    Raises ValueError with what is wrong; LookupError when it is none of these instructions.
    """
    return _INSTRUCTIONS[command.name](config, command)


def changes_configuration(name: str) -> bool:
    return name in _INSTRUCTIONS


def shell(config: ContainerConfig) -> list[str]:
    return config.shell or DEFAULT_SHELL


def command_line(config: ContainerConfig, command: Command) -> list[str]:
    """What CMD, ENTRYPOINT and RUN name: a list, or a text for the shell."""
    return command.words if command.json else [*shell(config), " ".join(command.words)]


def pairs(words: list[str]) -> dict[str, str]:
    """``[key, value, key, value …]``, as the parser has ENV and LABEL."""
    return dict(zip(words[0::2], words[1::2], strict=True))


def trigger(command: Command) -> str:
    """The instruction that ONBUILD keeps for later."""
    text = command.original.strip().split(None, 1)
    return text[1] if len(text) > 1 else ""


def directory(config: ContainerConfig, path: str) -> str:
    """A path that is relative to the working directory, without ``..``."""
    joined = posixpath.join("/", config.working_dir, path)
    return "/" + posixpath.normpath(joined).lstrip("/")


def _cmd(config: ContainerConfig, command: Command) -> ContainerConfig:
    return replace(config, cmd=command_line(config, command) if command.words else None)


def _entrypoint(config: ContainerConfig, command: Command) -> ContainerConfig:
    return replace(config, entrypoint=command_line(config, command) if command.words else None)


def _env(config: ContainerConfig, command: Command) -> ContainerConfig:
    values = dict(item.partition("=")[::2] for item in config.env)
    values.update(pairs(command.words))
    if "" in values:
        raise ValueError("ENV names can not be blank")
    return replace(config, env=[f"{key}={value}" for key, value in values.items()])


def _label(config: ContainerConfig, command: Command) -> ContainerConfig:
    labels = pairs(command.words)
    if "" in labels:
        raise ValueError("LABEL names can not be blank")
    return replace(config, labels={**config.labels, **labels})


def _expose(config: ContainerConfig, command: Command) -> ContainerConfig:
    ports = dict(config.exposed_ports)
    for word in command.words:
        number, _, protocol = word.partition("/")
        first, _, last = number.partition("-")
        protocol = protocol.lower() or "tcp"
        if protocol not in ("tcp", "udp", "sctp"):
            raise ValueError(f"invalid proto: {protocol}")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise ValueError(f"invalid containerPort: {word}")
        low, high = int(first), int(last or first)
        if not 0 < low <= high < 1 << 16:
            raise ValueError(f"invalid containerPort: {word}")
        ports.update({f"{port}/{protocol}": {} for port in range(low, high + 1)})
    return replace(config, exposed_ports=ports)


def _user(config: ContainerConfig, command: Command) -> ContainerConfig:
    return replace(config, user=command.words[0])


def _volume(config: ContainerConfig, command: Command) -> ContainerConfig:
    names = [word.strip() for word in command.words]
    if "" in names:
        raise ValueError("VOLUME specified can not be an empty string")
    return replace(config, volumes={**config.volumes, **{name: {} for name in names}})


def _workdir(config: ContainerConfig, command: Command) -> ContainerConfig:
    if not command.words[0]:
        raise ValueError("cannot normalize nothing")
    return replace(config, working_dir=directory(config, command.words[0]))


def _on_build(config: ContainerConfig, command: Command) -> ContainerConfig:
    text = trigger(command)
    name = text.partition(" ")[0].upper()
    if name == "ONBUILD":
        raise ValueError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if name in _NO_TRIGGERS:
        raise ValueError(f"{name} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=[*config.on_build, text])


def _stop_signal(config: ContainerConfig, command: Command) -> ContainerConfig:
    return replace(config, stop_signal=command.words[0])


def _shell(config: ContainerConfig, command: Command) -> ContainerConfig:
    if not command.json:
        raise ValueError("SHELL requires the arguments to be in JSON form")
    return replace(config, shell=command.words)


@dataclass
class _Probe:
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


def _healthcheck(config: ContainerConfig, command: Command) -> ContainerConfig:
    probe = _Probe()
    for option in command.flags:
        name, _, value = option[2:].partition("=")
        field = name.replace("-", "_")
        if field not in vars(probe):
            raise ValueError(f"unknown flag: --{name}")
        try:
            number = int(value) if field == "retries" else times.parse_duration(value)
        except ValueError:
            number = None
        if number is None or number < 0:
            raise ValueError(f"invalid --{name}={value}")
        setattr(probe, field, number)
    kind, *rest = command.words
    if kind.upper() == "NONE":
        if rest:
            raise ValueError("HEALTHCHECK NONE takes no arguments")
        test = ["NONE"]
    elif kind.upper() == "CMD" and any(word.strip() for word in rest):
        test = ["CMD", *rest] if command.json else ["CMD-SHELL", " ".join(rest)]
    elif kind.upper() == "CMD":
        raise ValueError("missing command after HEALTHCHECK CMD")
    else:
        raise ValueError("HEALTHCHECK needs NONE, or CMD and a command")
    return replace(config, healthcheck=HealthConfig(test=test, **vars(probe)))


_INSTRUCTIONS: dict[str, Callable[[ContainerConfig, Command], ContainerConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
