# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: privileges and namespaces."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._container.identity import (
    boolean,
    texts,
)
from ansible_collections.davit.fleet.plugins.module_utils._fields import Field


def _capabilities(value: list[str] | None) -> list[str]:
    names = (name.upper() for name in value or [])
    return sorted(name[4:] if name.startswith("CAP_") else name for name in names)


def _devices(value: list[str]) -> list[dict[str, str]]:
    """``/dev/fuse[:/dev/fuse[:rwm]]``."""
    result = []
    for item in value:
        host, _sep, rest = item.partition(":")
        inside, _sep, rights = rest.partition(":")
        result.append(
            {
                "PathOnHost": host,
                "PathInContainer": inside or host,
                "CgroupPermissions": rights or "rwm",
            }
        )
    return result


def _device_set(value: list[dict[str, str]] | None) -> list[tuple[str, str, str]]:
    return sorted(
        (item["PathOnHost"], item["PathInContainer"], item["CgroupPermissions"])
        for item in value or []
    )


def _names(name: str, path: str, canon: Any = lambda value: sorted(value or [])) -> Field:
    return Field(name, {"type": "list", "elements": "str"}, path, canon=canon)


def _mode(name: str, path: str) -> Field:
    # Which mode is the default is for the engine to say, so an absent one is never compared.
    return Field(name, {"type": "str"}, path)


ROWS = [
    boolean("privileged", "HostConfig.Privileged"),
    boolean("read_only", "HostConfig.ReadonlyRootfs"),
    _names("cap_add", "HostConfig.CapAdd", _capabilities),
    _names("cap_drop", "HostConfig.CapDrop", _capabilities),
    _names("security_opts", "HostConfig.SecurityOpt"),
    Field(
        "devices",
        {"type": "list", "elements": "str"},
        "HostConfig.Devices",
        encode=_devices,
        canon=_device_set,
    ),
    _names("device_cgroup_rules", "HostConfig.DeviceCgroupRules"),
    Field(
        "sysctls",
        {"type": "dict"},
        "HostConfig.Sysctls",
        encode=texts,
        canon=lambda value: value or {},
    ),
    _mode("cgroupns_mode", "HostConfig.CgroupnsMode"),
    _mode("ipc_mode", "HostConfig.IpcMode"),
    _mode("pid_mode", "HostConfig.PidMode"),
    _mode("uts_mode", "HostConfig.UTSMode"),
    _mode("userns_mode", "HostConfig.UsernsMode"),
]
