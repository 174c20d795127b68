# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: volumes, binds, mounts and file systems in memory."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._units import size

_MOUNT = {
    "type": {"type": "str", "choices": ["bind", "volume", "tmpfs"], "default": "volume"},
    "source": {"type": "str"},
    "target": {"type": "path", "required": True},
    "read_only": {"type": "bool", "default": False},
    "propagation": {
        "type": "str",
        "choices": ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
    },
    "no_copy": {"type": "bool"},
    "labels": {"type": "dict"},
    "volume_driver": {"type": "str"},
    "volume_options": {"type": "dict"},
    "tmpfs_size": {"type": "str"},
    "tmpfs_mode": {"type": "str"},
}


def _mount(item: dict[str, Any]) -> dict[str, Any]:
    mount: dict[str, Any] = {"Type": item["type"], "Target": item["target"]}
    if item.get("source"):
        mount["Source"] = item["source"]
    if item.get("read_only"):
        mount["ReadOnly"] = True
    if item.get("propagation"):
        mount["BindOptions"] = {"Propagation": item["propagation"]}
    volume: dict[str, Any] = {}
    if item.get("no_copy"):
        volume["NoCopy"] = True
    if item.get("labels"):
        volume["Labels"] = item["labels"]
    if item.get("volume_driver"):
        volume["DriverConfig"] = {
            "Name": item["volume_driver"],
            "Options": item.get("volume_options") or {},
        }
    if volume:
        mount["VolumeOptions"] = volume
    tmpfs: dict[str, int] = {}
    if item.get("tmpfs_size"):
        tmpfs["SizeBytes"] = size(item["tmpfs_size"])
    if item.get("tmpfs_mode"):
        tmpfs["Mode"] = int(item["tmpfs_mode"], 8)
    if tmpfs:
        mount["TmpfsOptions"] = tmpfs
    return mount


def _solid(value: Any) -> Any:
    """Drop what is empty or false: engines differ in which defaults they write out."""
    if isinstance(value, dict):
        pruned = {key: _solid(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item}
    return value


def _mount_set(value: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return sorted((_solid(item) for item in value or []), key=lambda item: item["Target"])


def _binds(value: list[str]) -> list[str]:
    for item in value:
        source, sep, _rest = item.partition(":")
        if sep and "/" in source and not source.startswith("/"):
            raise ValueError(
                f"{item!r}: {source!r} is neither an absolute path nor a volume's name"
            )
    return value


def _bind_set(value: list[str] | None) -> list[str]:
    """Read-write is the default, said or not."""
    return sorted(item[:-3] if item.endswith(":rw") else item for item in value or [])


def _tmpfs(value: list[str]) -> dict[str, str]:
    return dict(item.partition(":")[::2] for item in value)


ROWS = [
    Field(
        "volumes",
        {"type": "list", "elements": "str"},
        "HostConfig.Binds",
        encode=_binds,
        canon=_bind_set,
    ),
    Field(
        "mounts",
        {"type": "list", "elements": "dict", "options": _MOUNT},
        "HostConfig.Mounts",
        encode=lambda value: [_mount(item) for item in value],
        canon=_mount_set,
    ),
    Field(
        "tmpfs",
        {"type": "list", "elements": "str"},
        "HostConfig.Tmpfs",
        encode=_tmpfs,
        canon=lambda value: value or {},
    ),
    Field("volume_driver", {"type": "str"}, "HostConfig.VolumeDriver"),
    Field(
        "volumes_from",
        {"type": "list", "elements": "str"},
        "HostConfig.VolumesFrom",
        canon=lambda value: sorted(value or []),
    ),
    Field(
        "storage_opts",
        {"type": "dict"},
        "HostConfig.StorageOpt",
        canon=lambda value: value or {},
    ),
]
