"""Every kind of option on one container: it shows, and a second run changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Fleet
from tests.integration.test_container import WEB, verbs

# What an engine of API 1.41 knows.
WIDE: dict[str, Any] = {
    "log_driver": "json-file",
    "log_options": {"max-size": "1m", "max-file": 2},
    "healthcheck": {
        "test": ["CMD", "true"],
        "interval": "30s",
        "timeout": "5s",
        "start_period": "1s",
        "retries": 2,
    },
    "restart_policy": "on-failure:3",
    "tmpfs": ["/run:size=1m,mode=700"],
    "ipc_mode": "shareable",
    "pid_mode": "host",
    "uts_mode": "host",
    "cgroupns_mode": "private",
    "memory": "64M",
    "memory_swap": "200M",
    "cpuset_cpus": "0",
    "cpu_shares": 512,
    "oom_score_adj": 100,
    "ulimits": ["nofile=512:1024", "core=0"],
    "sysctls": {"net.ipv4.ip_unprivileged_port_start": 80},
    "devices": ["/dev/null:/dev/zilch:rw"],
    "device_cgroup_rules": ["c 1:3 rw"],
    "groups": ["29", "1000"],
    "stop_timeout": 3,
    "security_opts": ["no-new-privileges"],
    "volumes_from": ["store:ro"],
    "platform": "linux/amd64",
}


def test_second_run_changes_nothing(fleet: Fleet, tmp_path: Path) -> None:
    fleet.run("network", name="lan", ipam_config=[{"subnet": "10.231.8.0/24"}])
    fleet.run("container", **{**WEB, "name": "store", "volumes": ["stock:/stock"]})
    (tmp_path / "shared").mkdir()
    options = {
        **WEB,
        **WIDE,
        "mounts": [
            {
                "type": "bind",
                "source": str(tmp_path / "shared"),
                "target": "/shared",
                "read_only": True,
                "propagation": "rprivate",
                "non_recursive": True,
            },
            {
                "type": "volume",
                "source": "fresh",
                "target": "/fresh",
                "no_copy": True,
                "labels": {"tier": "back"},
                "volume_driver": "local",
                "volume_options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
            },
            {"type": "tmpfs", "target": "/scratch", "tmpfs_size": "1M", "tmpfs_mode": "0700"},
        ],
        "networks": [
            {
                "name": "lan",
                "aliases": ["www"],
                "ipv4_address": "10.231.8.9",
                "driver_opts": {"org.example.a": 1},
            }
        ],
    }
    assert verbs(fleet.apply("container", **options)) == ["create", "start"]
    shown = fleet.inspect("web")
    assert shown["State"]["Running"]
    assert shown["NetworkSettings"]["Networks"]["lan"]["DriverOpts"] == {"org.example.a": "1"}
    assert verbs(fleet.apply("container", **WEB)) == ["recreate"]


# Option: value that API 1.41 does not know, the version that does.
NEWER: dict[str, tuple[Any, str]] = {
    "annotations": ({"org.example.a": "1"}, "1.43"),
    "healthcheck": ({"test": ["CMD", "true"], "start_interval": "1s"}, "1.44"),
    "mounts": ([{"type": "image", "source": "busybox", "target": "/image"}], "1.48"),
    "networks": (
        [
            {"name": "lan", "mac_address": "02:42:0A:E7:09:09", "gw_priority": 5},
        ],
        "1.44",
    ),
}


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_options_of_newer_engines(fleet: Fleet, tmp_path: Path) -> None:
    """davit takes them all; Moby 20.10 would drop them, so the module says what they need."""
    fleet.run("network", name="lan")
    if fleet.flavor == "moby":
        newest = _version(fleet.client.get("/version").json["ApiVersion"])
        for option, (value, needed) in NEWER.items():
            if _version(needed) <= newest:
                continue
            failed = fleet.run("container", **WEB, **{option: value}, check=True, fails=True)
            assert option in failed["msg"]
            assert f"unsupported by the engine on unix://{fleet.socket}" in failed["msg"]
            assert f"needs API {needed}" in failed["msg"]
        return
    options = {option: value for option, (value, _needed) in NEWER.items()}
    options["mounts"] = [
        *options["mounts"],
        {
            "type": "bind",
            "source": str(tmp_path / "made"),
            "target": "/made",
            "create_mountpoint": True,
            "read_only": True,
            "read_only_non_recursive": True,
        },
        {"type": "tmpfs", "target": "/scratch", "tmpfs_options": ["noexec", "uid=7"]},
    ]
    assert verbs(fleet.apply("container", **WEB, **options)) == ["create", "start"]
    assert (tmp_path / "made").is_dir()
    lan = fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]
    assert lan["MacAddress"].lower() == "02:42:0a:e7:09:09"
    options["networks"] = [{"name": "lan", "mac_address": "02:42:0a:e7:09:10"}]
    assert verbs(fleet.apply("container", **WEB, **options)) == ["disconnect", "connect"]


@pytest.mark.parametrize("policy", ["no", "always", "unless-stopped", "on-failure", "on-failure:2"])
def test_restart_policies(fleet: Fleet, policy: str) -> None:
    fleet.apply("container", **WEB, restart_policy=policy)
    name, _sep, count = policy.partition(":")
    shown = fleet.inspect("web")["HostConfig"]["RestartPolicy"]
    assert (shown["Name"], shown["MaximumRetryCount"]) == (name, int(count or 0))
