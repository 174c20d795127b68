"""Pure: an image's configuration and a request become a container's configuration."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from davit.errors import InvalidParameter
from davit.model.config import ContainerConfig, HealthConfig, StrOrList


def merge(asked: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """Return ``asked`` completed with what the image says.

    The request wins: maps and environment by key, lists and scalars as a whole. An entrypoint in
    the request drops the image's command; an empty one (``[""]``) drops the image's entrypoint.
    Raises InvalidParameter when no command comes out.
    """
    entrypoint, cmd = words(asked.entrypoint), words(asked.cmd)
    args_escaped = asked.args_escaped
    if not entrypoint:
        if not cmd:
            cmd = words(image.cmd)
            args_escaped = image.args_escaped
        if entrypoint is None:
            entrypoint = words(image.entrypoint)
    elif entrypoint == [""]:
        entrypoint = None
    if not entrypoint and not cmd:
        raise InvalidParameter("no command specified: neither the request nor the image has one")
    return msgspec.structs.replace(
        asked,
        user=asked.user or image.user,
        exposed_ports={**image.exposed_ports, **asked.exposed_ports},
        env=merge_env(asked.env, image.env),
        labels={**image.labels, **asked.labels},
        volumes={**image.volumes, **asked.volumes},
        working_dir=asked.working_dir or image.working_dir,
        stop_signal=asked.stop_signal or image.stop_signal,
        shell=asked.shell or image.shell,
        healthcheck=_merge_health(asked.healthcheck, image.healthcheck),
        entrypoint=entrypoint,
        cmd=cmd,
        args_escaped=args_escaped,
    )


def command(config: ContainerConfig) -> list[str]:
    """Entrypoint and command as one argument vector."""
    return [*(words(config.entrypoint) or []), *(words(config.cmd) or [])]


def words(value: StrOrList | None) -> list[str] | None:
    """A command as a list; a string is one word."""
    return [value] if isinstance(value, str) else value


def merge_env(asked: Iterable[str], inherited: Iterable[str]) -> list[str]:
    """The request's entries, then what is inherited under other names.

    A request's bare ``NAME`` takes a variable away, at the start a default one, too: it is kept.
    """
    asked = list(asked)
    taken = {entry.partition("=")[0] for entry in asked}
    return asked + [entry for entry in inherited if entry.partition("=")[0] not in taken]


def _merge_health(asked: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if asked is None or image is None:
        return asked or image
    return HealthConfig(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        retries=asked.retries or image.retries,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
    )
