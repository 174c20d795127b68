# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the module ``swarm``, and where the API keeps them."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _fields, _units

_NUMBER = {"type": "int"}
_TEXT = {"type": "str"}
_FLAG = {"type": "bool", "default": False}


def _texts(value: dict[str, Any]) -> dict[str, str]:
    return {key: str(item) for key, item in value.items()}


def _authorities(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the engine shows them, which leaves out options that are none."""
    shown = []
    for given in value:
        item = {"Protocol": given.get("protocol") or "cfssl", "URL": given["url"]}
        if given.get("options"):
            item["Options"] = _texts(given["options"])
        shown.append({**item, "CACert": given.get("ca_cert") or ""})
    return shown


EXTERNAL_CAS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "url": {"type": "str", "required": True},
        "protocol": {"type": "str", "choices": ["cfssl"], "default": "cfssl"},
        "options": {"type": "dict"},
        "ca_cert": {"type": "str"},
    },
}

SETTINGS = [
    _fields.Field("autolock", {"type": "bool"}, "EncryptionConfig.AutoLockManagers"),
    _fields.Field("labels", {"type": "dict"}, "Labels", encode=_texts),
    _fields.Field("node_cert_expiry", _TEXT, "CAConfig.NodeCertExpiry", encode=_units.duration),
    _fields.Field("external_cas", EXTERNAL_CAS, "CAConfig.ExternalCAs", encode=_authorities),
    _fields.Field("task_history_limit", _NUMBER, "Orchestration.TaskHistoryRetentionLimit"),
    _fields.Field(
        "dispatcher_heartbeat", _TEXT, "Dispatcher.HeartbeatPeriod", encode=_units.duration
    ),
    _fields.Field("snapshot_interval", _NUMBER, "Raft.SnapshotInterval"),
    _fields.Field("keep_old_snapshots", _NUMBER, "Raft.KeepOldSnapshots"),
    _fields.Field("log_entries_for_slow_followers", _NUMBER, "Raft.LogEntriesForSlowFollowers"),
    _fields.Field("election_tick", _NUMBER, "Raft.ElectionTick"),
    _fields.Field("heartbeat_tick", _NUMBER, "Raft.HeartbeatTick"),
]
"""What can be changed while the swarm lives; the paths are those of its spec."""

SETTING_NAMES = frozenset(row.name for row in SETTINGS)

FIXED = [
    _fields.Field(
        "default_addr_pool", {"type": "list", "elements": "str"}, "DefaultAddrPool", canon=list
    ),
    _fields.Field("subnet_size", _NUMBER, "SubnetSize"),
    _fields.Field("data_path_port", _NUMBER, "DataPathPort"),
]
"""What a swarm has from its beginning; the paths are those of both init's body and ``/swarm``."""

LOCAL = [
    _fields.Field("advertise_addr", _TEXT, "AdvertiseAddr"),
    _fields.Field("listen_addr", {"type": "str", "default": "0.0.0.0:2377"}, "ListenAddr"),
    _fields.Field("data_path_addr", _TEXT, "DataPathAddr"),
    _fields.Field(
        "availability", {"type": "str", "choices": ["active", "drain", "pause"]}, "Availability"
    ),
]
"""What a node brings into the swarm."""

ROTATIONS = {
    "rotate_worker_token": "rotateWorkerToken",
    "rotate_manager_token": "rotateManagerToken",
    "rotate_unlock_key": "rotateManagerUnlockKey",
}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "remote_addrs": {"type": "list", "elements": "str"},
    "join_token": {"type": "str", "no_log": True},
    "cluster_id": {"type": "str"},
    "node_ids": {"type": "list", "elements": "str"},
    "rejoin": _FLAG,
    "force": _FLAG,
    "force_new_cluster": _FLAG,
    "unlock_key": {"type": "str", "no_log": True},
    **{name: {**_FLAG, "no_log": False} for name in ROTATIONS},
    "rotate_ca": _FLAG,
    "return_tokens": {**_FLAG, "no_log": False},
    "wait_timeout": {"type": "int", "default": 120},
    **{row.name: row.spec for row in (*LOCAL, *FIXED, *SETTINGS)},
}
