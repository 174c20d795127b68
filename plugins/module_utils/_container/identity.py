# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: what runs, as whom, and what it is called."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field


def words(value: Any) -> list[str]:
    """A command line as a list; a text is split as a shell would."""
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def pairs(value: dict[str, Any]) -> list[str]:
    for key, item in value.items():
        if isinstance(item, (bool, dict, list)) or item is None:
            # YAML made yes, on and true the same; which one the program wants is not known here.
            raise ValueError(f"{key} is {item!r}, which is no text; quote it")
    return [f"{key}={item}" for key, item in value.items()]


def mapping(value: list[str] | None) -> dict[str, str]:
    """``["A=1"]`` → ``{"A": "1"}``."""
    return dict(item.partition("=")[::2] for item in value or [])


def texts(value: dict[str, Any]) -> dict[str, str]:
    return {key: str(item) for key, item in value.items()}


def said(key: str) -> Callable[[dict[str, Any]], Any]:
    """What the image's configuration says under a key."""
    return lambda image: image.get(key)


def boolean(name: str, path: str, **more: Any) -> Field:
    return Field(name, {"type": "bool"}, path, canon=bool, default=False, **more)


def text(name: str, path: str, **more: Any) -> Field:
    return Field(name, {"type": "str"}, path, canon=lambda value: value or "", default="", **more)


ROWS = [
    Field(
        "command",
        {"type": "raw"},
        "Cmd",
        encode=words,
        canon=lambda value: value or [],
        from_image=said("Cmd"),
    ),
    Field(
        "entrypoint",
        {"type": "list", "elements": "str"},
        "Entrypoint",
        canon=lambda value: value or [],
        from_image=said("Entrypoint"),
    ),
    Field(
        "env",
        {"type": "dict"},
        "Env",
        encode=pairs,
        canon=mapping,
        entries=True,
        from_image=said("Env"),
    ),
    Field(
        "labels",
        {"type": "dict"},
        "Labels",
        encode=texts,
        entries=True,
        from_image=said("Labels"),
    ),
    Field(
        "annotations",
        {"type": "dict"},
        "HostConfig.Annotations",
        encode=texts,
        entries=True,
        since={"": (1, 43)},
    ),
    text("user", "User", from_image=said("User")),
    text("working_dir", "WorkingDir", from_image=said("WorkingDir")),
    Field("hostname", {"type": "str"}, "Hostname"),
    text("domainname", "Domainname"),
    boolean("tty", "Tty"),
    boolean("interactive", "OpenStdin"),
    Field("stop_signal", {"type": "str"}, "StopSignal", from_image=said("StopSignal")),
    Field("stop_timeout", {"type": "int"}, "StopTimeout", since={"": (1, 25)}),
    boolean("init", "HostConfig.Init", since={"": (1, 25)}),
    boolean("auto_remove", "HostConfig.AutoRemove"),
    Field("runtime", {"type": "str"}, "HostConfig.Runtime"),
    Field(
        "groups",
        {"type": "list", "elements": "str"},
        "HostConfig.GroupAdd",
        canon=lambda value: sorted(value or []),
    ),
]
