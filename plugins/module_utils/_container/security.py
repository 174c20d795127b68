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


def _requests(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``capabilities`` is a list of alternatives, each a list of what is needed together."""
    return [
        {
            "Driver": item.get("driver") or "",
            "Count": item.get("count") or 0,
            "DeviceIDs": item.get("device_ids") or [],
            "Capabilities": item.get("capabilities") or [],
            "Options": texts(item.get("options") or {}),
        }
        for item in value
    ]


def _request_list(value: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """What is empty may be missing or null."""
    return [{key: part for key, part in item.items() if part} for item in value or []]


def _names(
    name: str, path: str, canon: Any = lambda value: sorted(value or []), **more: Any
) -> Field:
    return Field(name, {"type": "list", "elements": "str"}, path, canon=canon, **more)


def _mode(name: str, path: str, **more: Any) -> Field:
    # Which mode is the default is for the engine to say, so an absent one is never compared.
    return Field(name, {"type": "str"}, path, **more)


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
    _names("device_cgroup_rules", "HostConfig.DeviceCgroupRules", since={"": (1, 28)}),
    Field(
        "device_requests",
        {
            "type": "list",
            "elements": "dict",
            "options": {
                "driver": {"type": "str"},
                "count": {"type": "int"},
                "device_ids": {"type": "list", "elements": "str"},
                "capabilities": {"type": "list", "elements": "list"},
                "options": {"type": "dict"},
            },
        },
        "HostConfig.DeviceRequests",
        encode=_requests,
        canon=_request_list,
        since={"": (1, 40)},
    ),
    Field(
        "sysctls",
        {"type": "dict"},
        "HostConfig.Sysctls",
        encode=texts,
        canon=lambda value: value or {},
    ),
    _mode("cgroupns_mode", "HostConfig.CgroupnsMode", since={"": (1, 41)}),
    _mode("ipc_mode", "HostConfig.IpcMode"),
    _mode("pid_mode", "HostConfig.PidMode"),
    _mode("uts_mode", "HostConfig.UTSMode"),
    _mode("userns_mode", "HostConfig.UsernsMode"),
]
