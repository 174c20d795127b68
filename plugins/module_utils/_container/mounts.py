# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Rows: volumes, binds, mounts and file systems in memory."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils._fields import Field
from ansible_collections.davit.fleet.plugins.module_utils._units import size

_MOUNT = {
    "type": {"type": "str", "choices": ["bind", "image", "tmpfs", "volume"], "default": "volume"},
    "source": {"type": "str"},
    "target": {"type": "path", "required": True},
    "read_only": {"type": "bool", "default": False},
    "propagation": {
        "type": "str",
        "choices": ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
    },
    "create_mountpoint": {"type": "bool"},
    "non_recursive": {"type": "bool"},
    "read_only_non_recursive": {"type": "bool"},
    "read_only_force_recursive": {"type": "bool"},
    "no_copy": {"type": "bool"},
    "subpath": {"type": "str"},
    "labels": {"type": "dict"},
    "volume_driver": {"type": "str"},
    "volume_options": {"type": "dict"},
    "tmpfs_size": {"type": "str"},
    "tmpfs_mode": {"type": "str"},
    "tmpfs_options": {"type": "list", "elements": "str"},
}
_SINCE = {
    "": (1, 25),
    "type=image": (1, 48),
    "create_mountpoint": (1, 42),
    "non_recursive": (1, 40),
    "read_only_non_recursive": (1, 44),
    "read_only_force_recursive": (1, 44),
    "subpath": (1, 45),
    "tmpfs_options": (1, 46),
}


def _mount(item: dict[str, Any]) -> dict[str, Any]:
    """A mount as the API has it, without what is not given."""
    driver = {"Name": item.get("volume_driver"), "Options": item.get("volume_options")}
    return {
        "Target": item["target"],
        **_solid(
            {
                "Type": item["type"],
                "Source": item.get("source"),
                "ReadOnly": item.get("read_only"),
                "BindOptions": {
                    "Propagation": item.get("propagation"),
                    "NonRecursive": item.get("non_recursive"),
                    "CreateMountpoint": item.get("create_mountpoint"),
                    "ReadOnlyNonRecursive": item.get("read_only_non_recursive"),
                    "ReadOnlyForceRecursive": item.get("read_only_force_recursive"),
                },
                "VolumeOptions": {
                    "NoCopy": item.get("no_copy"),
                    "Labels": item.get("labels"),
                    "DriverConfig": driver if driver["Name"] else None,
                    "Subpath": item.get("subpath") if item["type"] == "volume" else None,
                },
                "ImageOptions": {
                    "Subpath": item.get("subpath") if item["type"] == "image" else None,
                },
                "TmpfsOptions": {
                    "SizeBytes": size(item["tmpfs_size"]) if item.get("tmpfs_size") else None,
                    "Mode": int(item["tmpfs_mode"], 8) if item.get("tmpfs_mode") else None,
                    "Options": [word.split("=", 1) for word in item.get("tmpfs_options") or []],
                },
            }
        ),
    }


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
        since=_SINCE,
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
