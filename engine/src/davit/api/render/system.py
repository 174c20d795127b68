"""The daemon and its events as the API shows them."""

from __future__ import annotations

from typing import Any

from davit import __version__
from davit.api.routing import API_VERSION, MIN_API_VERSION
from davit.model import times
from davit.model.event import Event
from davit.model.system import Component, Overview

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_LOG_DRIVERS = ("json-file",)
_NETWORK_DRIVERS = ("bridge", "host", "null")


def event(row: Event) -> dict[str, Any]:
    """``EventMessage``, with the fields that clients of the first API versions read."""
    shown: dict[str, Any] = {}
    if row.type in ("container", "image"):
        shown = {"status": row.action, "id": row.actor_id}
        if "image" in row.attributes:
            shown["from"] = row.attributes["image"]
    return {
        **shown,
        "Type": row.type,
        "Action": row.action,
        "Actor": {"ID": row.actor_id, "Attributes": row.attributes},
        "scope": "local",
        "time": row.time // 10**9,
        "timeNano": row.time,
    }


def version(seen: Overview) -> dict[str, Any]:
    """``SystemVersion``."""
    api = ".".join(map(str, API_VERSION))
    lowest = ".".join(map(str, MIN_API_VERSION))
    architecture = _ARCHITECTURES.get(seen.host.architecture, seen.host.architecture)
    details = {
        "ApiVersion": api,
        "Arch": architecture,
        "Experimental": "false",
        "KernelVersion": seen.host.kernel,
        "MinAPIVersion": lowest,
        "Os": "linux",
    }
    return {
        "Platform": {"Name": "davit"},
        "Components": [
            {"Name": "Engine", "Version": __version__, "Details": details},
            _component(seen.runtime),
            _component(seen.monitor),
        ],
        "Version": __version__,
        "ApiVersion": api,
        "MinAPIVersion": lowest,
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture,
        "KernelVersion": seen.host.kernel,
        "BuildTime": "",
    }


def info(seen: Overview, api: tuple[int, int]) -> dict[str, Any]:
    """``SystemInfo``."""
    settings, host, counts = seen.settings, seen.host, seen.counts
    shown: dict[str, Any] = {
        "ID": seen.instance_id,
        "Containers": counts.running + counts.paused + counts.stopped,
        "ContainersRunning": counts.running,
        "ContainersPaused": counts.paused,
        "ContainersStopped": counts.stopped,
        "Images": counts.images,
        "Driver": "overlay2",
        "DriverStatus": [["Supports d_type", "true"], ["Userxattr", "false"]],
        "SystemStatus": None,
        "Plugins": {
            "Volume": ["local"],
            "Network": _NETWORK_DRIVERS,
            "Authorization": None,
            "Log": _LOG_DRIVERS,
        },
        "MemoryLimit": True,
        "SwapLimit": True,
        "KernelMemoryTCP": False,
        "CpuCfsPeriod": True,
        "CpuCfsQuota": True,
        "CPUShares": True,
        "CPUSet": True,
        "PidsLimit": True,
        "OomKillDisable": host.cgroup_version == 1,
        "IPv4Forwarding": host.ip_forwarding,
        "Debug": settings.log_level == "debug",
        "NFd": seen.open_files,
        "NGoroutines": seen.tasks,
        "SystemTime": times.rfc3339(times.now()),
        "LoggingDriver": _LOG_DRIVERS[0],
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(host.cgroup_version),
        "NEventsListener": seen.listeners,
        "KernelVersion": host.kernel,
        "OperatingSystem": host.operating_system,
        "OSVersion": host.os_version,
        "OSType": "linux",
        "Architecture": host.architecture,
        "NCPU": host.cpus,
        "MemTotal": host.memory,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["127.0.0.0/8"],
            "IndexConfigs": {},
            "Mirrors": [],
        },
        "GenericResources": None,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": host.name,
        "Labels": list(settings.labels),
        "ExperimentalBuild": False,
        "ServerVersion": __version__,
        "Runtimes": {seen.runtime.name: {"path": settings.runtime}},
        "DefaultRuntime": seen.runtime.name,
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        # Containers always go on without davitd.
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": settings.init_path,
        "ContainerdCommit": {"ID": ""},
        "RuncCommit": {"ID": seen.runtime.commit},
        "InitCommit": {"ID": ""},
        "SecurityOptions": _security(seen),
        "ProductLicense": "",
        "DefaultAddressPools": [
            {"Base": pool.base, "Size": pool.size} for pool in settings.default_address_pools
        ],
        "FirewallBackend": {"Driver": "nftables"},
        "DiscoveredDevices": [],
        "Warnings": _warnings(seen),
        "CDISpecDirs": [],
        "DockerRootDir": str(settings.data_root),
    }
    if api < (1, 49):
        # Clients of that time warn when these kernel features seem to be missing.
        shown |= {"BridgeNfIptables": True, "BridgeNfIp6tables": True}
    return shown


def _component(program: Component) -> dict[str, Any]:
    return {
        "Name": program.name,
        "Version": program.version,
        "Details": {"GitCommit": program.commit},
    }


def _security(seen: Overview) -> list[str]:
    options = []
    if seen.host.seccomp:
        options.append("name=seccomp,profile=builtin")
    if seen.host.cgroup_version == 2:
        options.append("name=cgroupns")
    return options


def _warnings(seen: Overview) -> list[str]:
    return [
        f"WARNING: API is accessible on {host} without encryption or authentication: whoever "
        "reaches it is root on this machine"
        for host in seen.settings.hosts
        if host.startswith("tcp://")
    ]
