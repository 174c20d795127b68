"""Dockerfile instructions that change an image's configuration, as ``import`` and ``commit`` take.

Source: the Dockerfile reference of Docker's documentation.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from davit.errors import InvalidParameter
from davit.model import times
from davit.model.config import ContainerConfig, HealthConfig

_SHELL = ["/bin/sh", "-c"]


def apply(config: ContainerConfig, changes: Iterable[str]) -> ContainerConfig:
    """Return ``config`` after the instructions. Raises InvalidParameter naming the bad one."""
    for line in changes:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = text.partition(" ")
        instruction = _INSTRUCTIONS.get(name.upper())
        if instruction is None:
            raise InvalidParameter(
                f"{name.upper()} is not a valid change command; known: {', '.join(_INSTRUCTIONS)}"
            )
        if not rest.strip():
            raise InvalidParameter(f"change {text!r}: {name.upper()} requires an argument")
        try:
            config = instruction(config, rest.strip())
        except ValueError as error:
            raise InvalidParameter(f"change {text!r}: {error}") from None
    return config


def _command(config: ContainerConfig, text: str) -> list[str]:
    """The exec form (a JSON list) or the shell form."""
    return _json_list(text) or [*(config.shell or _SHELL), text]


def _json_list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _cmd(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, cmd=_command(config, text))


def _entrypoint(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, entrypoint=_command(config, text))


def _pairs(text: str) -> dict[str, str]:
    """``k=v k2="v 2"``, or the old form ``k the rest is the value``."""
    words = shlex.split(text)
    if "=" not in words[0]:
        key, _, value = text.partition(" ")
        if not value.strip():
            raise ValueError("must have two arguments, or be key=value")
        return {key: value.strip()}
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError(f"syntax error - can't find = in {word!r}. Must be of the form: k=v")
        pairs[key] = value
    return pairs


def _env(config: ContainerConfig, text: str) -> ContainerConfig:
    values = dict(item.partition("=")[::2] for item in config.env)
    values.update(_pairs(text))
    return replace(config, env=[f"{key}={value}" for key, value in values.items()])


def _label(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, labels={**config.labels, **_pairs(text)})


def _expose(config: ContainerConfig, text: str) -> ContainerConfig:
    ports = dict(config.exposed_ports)
    for word in text.split():
        number, _, protocol = word.partition("/")
        first, _, last = number.partition("-")
        protocol = protocol.lower() or "tcp"
        if protocol not in ("tcp", "udp", "sctp"):
            raise ValueError(f"invalid proto: {protocol}")
        low, high = int(first), int(last or first)
        if not 0 < low <= high < 1 << 16:
            raise ValueError(f"invalid containerPort: {word}")
        ports.update({f"{port}/{protocol}": {} for port in range(low, high + 1)})
    return replace(config, exposed_ports=ports)


def _user(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, user=text)


def _volume(config: ContainerConfig, text: str) -> ContainerConfig:
    names = _json_list(text) or shlex.split(text)
    return replace(config, volumes={**config.volumes, **{name: {} for name in names}})


def _workdir(config: ContainerConfig, text: str) -> ContainerConfig:
    path = posixpath.normpath(posixpath.join("/", config.working_dir, text))
    return replace(config, working_dir=path)


def _on_build(config: ContainerConfig, text: str) -> ContainerConfig:
    name = text.partition(" ")[0].upper()
    if name in ("ONBUILD", "FROM", "MAINTAINER"):
        raise ValueError(f"{name} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=[*config.on_build, text])


def _stop_signal(config: ContainerConfig, text: str) -> ContainerConfig:
    return replace(config, stop_signal=text)


@dataclass
class _Probe:
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


def _healthcheck(config: ContainerConfig, text: str) -> ContainerConfig:
    probe = _Probe()
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        name, _, value = option[2:].partition("=")
        field = name.replace("-", "_")
        if field not in vars(probe):
            raise ValueError(f"unknown flag: --{name}")
        number = int(value) if field == "retries" else times.parse_duration(value)
        if number is None or number < 0:
            raise ValueError(f"invalid --{name}={value}")
        setattr(probe, field, number)
        text = text.strip()
    kind, _, rest = text.partition(" ")
    if kind.upper() == "NONE":
        test = ["NONE"]
    elif kind.upper() == "CMD" and rest.strip():
        words = _json_list(rest.strip())
        test = ["CMD", *words] if words else ["CMD-SHELL", rest.strip()]
    else:
        raise ValueError("HEALTHCHECK needs NONE, or CMD and a command")
    return replace(config, healthcheck=HealthConfig(test=test, **vars(probe)))


_INSTRUCTIONS: dict[str, Callable[[ContainerConfig, str], ContainerConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
