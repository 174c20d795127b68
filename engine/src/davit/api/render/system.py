"""The daemon and its events as the API shows them."""

from __future__ import annotations

from typing import Any
from urllib.request import getproxies

from davit import __version__
from davit.api.routing import API_VERSION, MIN_API_VERSION
from davit.config import Settings
from davit.model import log_options, times
from davit.model.event import Event
from davit.model.registry import LOOPBACK
from davit.model.swarm import SwarmInfo
from davit.model.system import Component, Overview

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
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
        "DriverStatus": [
            ["Backing Filesystem", _filesystem(host.backing_filesystem)],
            ["Supports d_type", "true"],
            ["userxattr", "false"],
        ],
        "Plugins": {
            "Volume": ["local"],
            "Network": _NETWORK_DRIVERS,
            "Authorization": None,
            "Log": [name for name in log_options.DRIVERS if name != "none"],
        },
        "MemoryLimit": "memory" in host.controllers,
        "SwapLimit": host.swap_limit,
        "KernelMemoryTCP": False,
        "CpuCfsPeriod": host.cpu_quota,
        "CpuCfsQuota": host.cpu_quota,
        "CPUShares": "cpu" in host.controllers,
        "CPUSet": "cpuset" in host.controllers,
        "PidsLimit": "pids" in host.controllers,
        "OomKillDisable": host.cgroup_version == 1,
        "IPv4Forwarding": host.ip_forwarding,
        "Debug": settings.log_level == "debug",
        "NFd": seen.open_files,
        "NGoroutines": seen.tasks,
        "SystemTime": times.rfc3339(times.now()),
        "LoggingDriver": settings.log_driver,
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
        "RegistryConfig": _registries(settings),
        "GenericResources": None,
        "HttpProxy": _proxy("http"),
        "HttpsProxy": _proxy("https"),
        "NoProxy": getproxies().get("no", ""),
        "Name": host.name,
        "Labels": settings.labels,
        "ExperimentalBuild": False,
        "ServerVersion": __version__,
        "Runtimes": {
            name: {"path": program} for name, program in settings.runtime_programs.items()
        },
        "DefaultRuntime": settings.default_runtime,
        "Swarm": _swarm(seen.swarm),
        # Containers always go on without davitd.
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": seen.init,
        # There is none, and of the init nobody knows.
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
    return _as_of(shown, api)


def _swarm(seen: SwarmInfo) -> dict[str, Any]:
    return {
        "NodeID": seen.node_id,
        "NodeAddr": seen.node_addr,
        "LocalNodeState": seen.state.value,
        "ControlAvailable": False,
        "Error": seen.error,
        "RemoteManagers": [
            {"NodeID": manager.node_id, "Addr": manager.addr} for manager in seen.managers
        ]
        or None,
    }


def _as_of(shown: dict[str, Any], api: tuple[int, int]) -> dict[str, Any]:
    """Add what older versions of the API have, take away what these do not know."""
    if api < (1, 50):
        del shown["DiscoveredDevices"]
    if api < (1, 49):
        del shown["FirewallBackend"]
        # Clients of that time warn when these kernel features seem to be missing.
        shown |= {"BridgeNfIptables": True, "BridgeNfIp6tables": True}
        for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
            shown[name]["Expected"] = shown[name]["ID"]
    if api < (1, 48):
        shown["RegistryConfig"]["AllowNondistributableArtifactsCIDRs"] = []
        shown["RegistryConfig"]["AllowNondistributableArtifactsHostnames"] = []
    if api < (1, 44):
        del shown["CDISpecDirs"]
    if api < (1, 42):
        shown["KernelMemory"] = False
    return shown


def _index(name: str, mirrors: list[str]) -> dict[str, Any]:
    return {"Name": name, "Mirrors": mirrors, "Secure": False, "Official": False}


def _registries(settings: Settings) -> dict[str, Any]:
    """Networks and hosts are insecure each in a place of their own."""
    ranges = [entry for entry in settings.insecure_registries if "/" in entry]
    hosts = [entry for entry in settings.insecure_registries if "/" not in entry]
    mirrors = list(settings.registry_mirrors)
    return {
        "InsecureRegistryCIDRs": [*LOOPBACK, *ranges],
        "IndexConfigs": {
            "docker.io": {
                "Name": "docker.io",
                "Mirrors": mirrors,
                "Secure": True,
                "Official": True,
            },
            **{host: _index(host, []) for host in hosts},
        },
        "Mirrors": mirrors,
    }


def _filesystem(kind: str) -> str:
    """The name that Docker has for it."""
    return "extfs" if kind in ("ext2", "ext3", "ext4") else kind


def _proxy(scheme: str) -> str:
    """The proxy for a scheme, without who we are to it."""
    url = getproxies().get(scheme, "")
    head, at, host = url.rpartition("@")
    return f"{head.partition('://')[0]}://xxxxx:xxxxx@{host}" if at else url


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
    if seen.settings.userns_remap:
        options.append("name=userns")
    return options


def _warnings(seen: Overview) -> list[str]:
    """What an administrator should know, in Docker's words as far as it has some."""
    host = seen.host
    found = []
    if not seen.settings.uses_tls:
        found += [
            f"WARNING: API is accessible on {address} without encryption or authentication: "
            "whoever reaches it is root on this machine"
            for address in seen.settings.hosts
            if address.startswith("tcp://")
        ]
    elif not seen.settings.tls_verify:
        found += [
            f"WARNING: API is accessible on {address} without TLS client verification: whoever "
            "reaches it is root on this machine"
            for address in seen.settings.hosts
            if address.startswith("tcp://")
        ]
    missing = (
        ("memory" not in host.controllers, "No memory limit support"),
        (not host.swap_limit, "No swap limit support"),
        (not host.cpu_quota, "No cpu cfs quota support"),
        ("cpu" not in host.controllers, "No cpu shares support"),
        ("cpuset" not in host.controllers, "No cpuset support"),
        ("pids" not in host.controllers, "No pids limit support"),
        (not host.ip_forwarding, "IPv4 forwarding is disabled"),
    )
    return found + [f"WARNING: {words}" for is_missing, words in missing if is_missing]
