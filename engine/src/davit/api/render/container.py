"""Containers as the API shows them."""

from __future__ import annotations

from typing import Any

from davit.model import codec, ids, times
from davit.model.config import ContainerConfig, PortBinding
from davit.model.container import Container, Details, Health, Status
from davit.model.network import (
    DEFAULT_NETWORK,
    NAMESPACE_ONLY,
    EndpointSettings,
    namespace_endpoint_id,
)
from davit.model.volume import MountPoint
from davit.spec import security

Version = tuple[int, int]


def inspect(details: Details, version: Version) -> dict[str, Any]:
    """``ContainerInspectResponse`` of the Engine API."""
    container = details.container
    directory = details.directory
    shown = {
        "Id": container.id,
        "Created": times.rfc3339(container.created),
        "Path": container.path,
        "Args": container.args,
        "State": state(container, details.health),
        "Image": container.image_id,
        "ResolvConfPath": f"{directory}/resolv.conf",
        "HostnamePath": f"{directory}/hostname",
        "HostsPath": f"{directory}/hosts",
        "LogPath": (
            f"{directory}/container.log"
            if container.host_config.log_config.type == "json-file"
            else ""
        ),
        "Name": f"/{container.name}",
        "RestartCount": container.state.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": details.exec_ids or None,
        "HostConfig": {**host_config(container, version), "Links": details.links or None},
        "GraphDriver": _graph_driver(details),
        "Mounts": [mount(point) for point in container.mounts],
        "Config": config(container.config),
        "NetworkSettings": network_settings(details, version),
    }
    if details.size_rw is not None:
        shown["SizeRw"] = details.size_rw
        shown["SizeRootFs"] = details.size_root_fs
    return shown


def summary(details: Details, version: Version) -> dict[str, Any]:
    """``ContainerSummary`` of the Engine API."""
    container = details.container
    shown: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}", *details.link_names],
        "Image": container.config.image if details.image_tagged else container.image_id,
        "ImageID": container.image_id,
        "Command": _command_line(container),
        "Created": container.created // 10**9,
        "Ports": _port_list(details),
        "Labels": container.config.labels,
        "State": container.state.status.value,
        "Status": status_text(container, details.health, times.now()),
        "HostConfig": {"NetworkMode": container.host_config.network_mode},
        "NetworkSettings": {"Networks": endpoints(details, version)},
        "Mounts": [mount(point) for point in container.mounts],
    }
    if details.size_rw is not None:
        shown["SizeRw"] = details.size_rw
        shown["SizeRootFs"] = details.size_root_fs
    return shown


def state(container: Container, health: Health | None) -> dict[str, Any]:
    """``ContainerState``. A restarting container counts as running, as in Docker."""
    now = container.state
    shown: dict[str, Any] = {
        "Status": now.status.value,
        "Running": now.status in (Status.RUNNING, Status.PAUSED, Status.RESTARTING),
        "Paused": now.status is Status.PAUSED,
        "Restarting": now.status is Status.RESTARTING,
        "OOMKilled": now.oom_killed,
        "Dead": now.status is Status.DEAD,
        "Pid": now.pid,
        "ExitCode": now.exit_code,
        "Error": now.error,
        "StartedAt": times.rfc3339(now.started_at),
        "FinishedAt": times.rfc3339(now.finished_at),
    }
    if health is not None:
        shown["Health"] = {
            "Status": health.status,
            "FailingStreak": health.failing_streak,
            "Log": [
                {
                    "Start": times.rfc3339(probe.start),
                    "End": times.rfc3339(probe.end),
                    "ExitCode": probe.exit_code,
                    "Output": probe.output,
                }
                for probe in health.log
            ],
        }
    return shown


def config(value: ContainerConfig) -> dict[str, Any]:
    """``ContainerConfig``, with Docker's ``null`` and absent fields."""
    shown: dict[str, Any] = codec.builtins(value)
    for name in ("Volumes", "OnBuild", "Entrypoint", "Cmd"):
        shown[name] = shown[name] or None
    for name in ("ExposedPorts", "Healthcheck", "StopSignal", "StopTimeout", "Shell", "MacAddress"):
        if not shown[name] and shown[name] != 0:
            del shown[name]
    for name in ("ArgsEscaped", "NetworkDisabled"):
        if not shown[name]:
            del shown[name]
    return shown


def host_config(container: Container, version: Version) -> dict[str, Any]:
    """``HostConfig`` as asked for, with Docker's ``null`` fields."""
    shown: dict[str, Any] = codec.builtins(container.host_config)
    for name in (
        "Binds",
        "VolumesFrom",
        "CapAdd",
        "CapDrop",
        "Dns",
        "DnsOptions",
        "DnsSearch",
        "ExtraHosts",
        "GroupAdd",
        "Links",
        "SecurityOpt",
        "DeviceCgroupRules",
        "DeviceRequests",
        "Ulimits",
        "BlkioDeviceReadBps",
        "BlkioDeviceWriteBps",
        "BlkioDeviceReadIOps",
        "BlkioDeviceWriteIOps",
    ):
        shown[name] = shown[name] or (None if name not in ("Dns", "DnsOptions") else [])
    asked = container.host_config
    # What the command line sends for "not set".
    if asked.memory_swappiness == -1:
        shown["MemorySwappiness"] = None
    shown["OomKillDisable"] = bool(asked.oom_kill_disable)
    shown["PidsLimit"] = asked.pids_limit or None
    if version >= (1, 42):
        del shown["KernelMemory"]
    options = security.parse(asked.security_opt)
    shown["MaskedPaths"] = security.masked_paths(asked, options) or None
    shown["ReadonlyPaths"] = security.readonly_paths(asked, options) or None
    for name in ("Mounts", "Annotations", "StorageOpt", "Sysctls", "Tmpfs", "Init"):
        if shown[name] in ([], {}, None):
            del shown[name]
    return shown


def mount(point: MountPoint) -> dict[str, Any]:
    """``MountPoint``."""
    shown: dict[str, Any] = codec.builtins(point)
    # Shown where they were asked for, in HostConfig.
    for name in ("Anonymous", "Subpath", "BindOptions", "ImageId", "Layers"):
        del shown[name]
    if point.type != "volume":
        del shown["Driver"]
        if point.type != "image":
            del shown["Name"]
    return shown


def network_settings(details: Details, version: Version) -> dict[str, Any]:
    """``NetworkSettings``, with the older fields that repeat the default network's endpoint."""
    sandbox = details.sandbox
    networks = endpoints(details, version)
    default = networks.get(DEFAULT_NETWORK, endpoint(EndpointSettings(), version))
    return {
        "Bridge": "",
        "SandboxID": details.container.id if sandbox else "",
        "SandboxKey": sandbox.netns if sandbox else "",
        "Ports": _port_map(details),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{
            name: default[name]
            for name in (
                "EndpointID",
                "Gateway",
                "GlobalIPv6Address",
                "GlobalIPv6PrefixLen",
                "IPAddress",
                "IPPrefixLen",
                "IPv6Gateway",
                "MacAddress",
            )
        },
        "Networks": networks,
    }


def endpoints(details: Details, version: Version) -> dict[str, Any]:
    """Network name → endpoint: what it got while it runs, else what it wishes."""
    container = details.container
    held = details.sandbox.endpoints if details.sandbox else {}
    shown = {}
    for name, wish in container.networks.items():
        known = endpoint(held.get(name, wish), version)
        known["NetworkID"] = known["NetworkID"] or details.network_ids.get(name, "")
        if name in NAMESPACE_ONLY and container.state.status.is_running:
            known["EndpointID"] = namespace_endpoint_id(container.id, name)
        if not known["Aliases"] and wish.aliases:
            known["Aliases"] = wish.aliases
        if version < (1, 45) and name in held and known["Aliases"] is not None:
            # Before DNSNames, the short ID was told among the aliases.
            known["Aliases"] = [*known["Aliases"], ids.short(container.id)]
        shown[name] = known
    return shown


def endpoint(settings: EndpointSettings, version: Version) -> dict[str, Any]:
    """``EndpointSettings``."""
    shown: dict[str, Any] = codec.builtins(settings)
    for name in ("Links", "Aliases", "DriverOpts", "DNSNames"):
        shown[name] = shown[name] or None
    wish = settings.ipam_config
    if wish is not None:
        given = codec.builtins(wish)
        shown["IPAMConfig"] = {name: value for name, value in given.items() if value}
    if version < (1, 44):
        del shown["DNSNames"]
    if version < (1, 48):
        del shown["GwPriority"]
    return shown


def status_text(container: Container, health: Health | None, now: int) -> str:
    """What ``docker ps`` shows in STATUS."""
    known = container.state
    status = known.status
    if status is Status.CREATED:
        return "Created"
    if status is Status.DEAD:
        return "Dead"
    if status is Status.REMOVING:
        return "Removal In Progress"
    since = now - (known.started_at if status.is_running else known.finished_at)
    if status is Status.RUNNING:
        up = f"Up {human_duration(since)}"
        if health is None:
            return up
        return (
            f"{up} (health: starting)" if health.status == "starting" else f"{up} ({health.status})"
        )
    if status is Status.PAUSED:
        return f"Up {human_duration(since)} (Paused)"
    word = "Restarting" if status is Status.RESTARTING else "Exited"
    return f"{word} ({known.exit_code}) {human_duration(since)} ago"


def human_duration(ns: int) -> str:
    """``Less than a second``, ``5 minutes``, ``About an hour``, …, in Docker's words."""
    seconds = max(0, ns) // 10**9
    minutes, hours = seconds // 60, round(seconds / 3600)
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    for limit, size, unit in ((48, 1, "hours"), (24 * 14, 24, "days"), (24 * 60, 168, "weeks")):
        if hours < limit:
            return f"{hours // size} {unit}"
    if hours < 24 * 365 * 2:
        return f"{hours // 720} months"
    return f"{hours // 8760} years"


def _command_line(container: Container) -> str:
    words = [container.path, *container.args]
    return " ".join(f"'{word}'" if " " in word else word for word in words)


def _graph_driver(details: Details) -> dict[str, Any]:
    directory = details.directory
    return {
        "Name": "overlay2",
        "Data": {
            "ID": details.container.id,
            "LowerDir": ":".join(reversed(details.layers)),
            "MergedDir": details.root_fs,
            "UpperDir": f"{directory}/upper",
            "WorkDir": f"{directory}/work",
        },
    }


def _port_map(details: Details) -> dict[str, Any]:
    """Exposed and published ports of a running container; none of one that does not run."""
    sandbox = details.sandbox
    if sandbox is None:
        return {}
    ports: dict[str, Any] = dict.fromkeys(map(_port, details.container.config.exposed_ports))
    for port, sides in sandbox.ports.items():
        ports[port] = [codec.builtins(side) for side in sides]
    return ports


def _port_list(details: Details) -> list[dict[str, Any]]:
    sandbox = details.sandbox
    if sandbox is None:
        return []
    listed: list[dict[str, Any]] = []
    published: dict[str, list[PortBinding]] = sandbox.ports
    for text in details.container.config.exposed_ports:
        if _port(text) not in published:
            listed.append(_listed(_port(text)))
    for port, sides in published.items():
        listed += [{**_listed(port), "IP": side.host_ip, **_public(side)} for side in sides]
    return listed


def _public(side: PortBinding) -> dict[str, int]:
    """Nothing for a port that is open at the container's own address."""
    return {"PublicPort": int(side.host_port)} if side.host_port else {}


def _listed(port: str) -> dict[str, Any]:
    number, _, protocol = port.partition("/")
    return {"PrivatePort": int(number), "Type": protocol}


def _port(text: str) -> str:
    return text if "/" in text else f"{text}/tcp"
