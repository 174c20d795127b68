"""Pure: what a request may say. Every check is done at creation, before anything is made."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

from davit.errors import InvalidParameter, NotSupported
from davit.model import ids, log_options
from davit.model.config import ContainerConfig, HealthConfig, HostConfig
from davit.services.containers import policy, ports, resources, signals
from davit.services.networks.hosts import HOST_GATEWAY, split_extra_host

_MIN_INTERVAL = 10**6
_MAX_HOSTNAME = 64


@dataclass(frozen=True)
class Host:
    """What this machine has. runtimes: accepted names of OCI runtimes; memory_nodes: ``0-1``;
    realtime: whether cgroups have shares of the real-time scheduler.
    """

    cpus: int
    runtimes: tuple[str, ...]
    memory_nodes: str = "0"
    realtime: bool = False


def check_name(name: str) -> None:
    """Raise InvalidParameter for what cannot be a container's name."""
    if not ids.is_name(name):
        raise InvalidParameter(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )


def check(config: ContainerConfig, host: HostConfig, machine: Host) -> list[str]:
    """Raise InvalidParameter or NotSupported for the first thing wrong; return warnings."""
    _check_config(config)
    _check_unsupported(host)
    policy.check(host.restart_policy, auto_remove=host.auto_remove)
    _check_modes(config, host)
    _check_network(config, host)
    log_options.check(host.log_config)
    if host.runtime:
        check_runtime(host.runtime, machine.runtimes)
    resources.check_realtime(host, is_there=machine.realtime)
    warnings = resources.check(host, cpus=machine.cpus, memory_nodes=machine.memory_nodes)
    if host.network_mode == "host" and (host.port_bindings or host.publish_all_ports):
        warnings.append("Published ports are discarded when using host network mode")
    return warnings


def check_runtime(name: str, known: Collection[str]) -> None:
    """Raise InvalidParameter for an OCI runtime that davitd was not told of."""
    if name not in known:
        raise InvalidParameter(
            f"unknown or invalid runtime name: {name}; known here: {', '.join(known)}; "
            "davitd learns of others by --add-runtime"
        )


def _check_config(config: ContainerConfig) -> None:
    for entry in config.env:
        if not entry or entry.startswith("="):
            raise InvalidParameter(
                f"invalid environment variable: {entry!r}: a name is needed before '='"
            )
        if "\0" in entry:
            raise InvalidParameter(f"invalid environment variable: {entry!r} holds a null byte")
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute "
            "path"
        )
    if len(config.hostname) > _MAX_HOSTNAME:
        raise InvalidParameter(
            f"invalid hostname {config.hostname!r}: {_MAX_HOSTNAME} characters at most"
        )
    if config.stop_signal:
        signals.parse(config.stop_signal)
    ports.expand(config.exposed_ports)
    if config.healthcheck is not None:
        _check_health(config.healthcheck)


def _check_health(health: HealthConfig) -> None:
    if health.test and health.test[0] not in ("", "NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(
            f"Unknown type {health.test[0]!r} in Healthcheck.Test: use NONE, CMD or CMD-SHELL"
        )
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value and value < _MIN_INTERVAL:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")


def _check_unsupported(host: HostConfig) -> None:
    """Refuse by name what davit does not do: nothing is silently ignored."""
    for request in host.device_requests:
        # Docker's words when no driver answers to a request.
        wanted = " ".join(f"[{' '.join(group)}]" for group in request.capabilities)
        raise NotSupported(
            f'could not select device driver "{request.driver}" with capabilities: [{wanted}]: '
            "davit has no drivers for HostConfig.DeviceRequests, pass nodes by Devices"
        )
    if host.storage_opt:
        raise NotSupported(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option, "
            "which davit does not use: drop HostConfig.StorageOpt"
        )
    for name, value in (
        ("Cgroup", host.cgroup),
        ("Isolation", host.isolation not in ("", "default") and host.isolation),
    ):
        if value:
            raise NotSupported(f"HostConfig.{name} ({value!r}) is not supported by davit: drop it")


def _check_modes(config: ContainerConfig, host: HostConfig) -> None:
    for name, value, simple, shared in (
        ("IPC", host.ipc_mode, ("", "none", "private", "shareable", "host"), True),
        ("PID", host.pid_mode, ("", "host"), True),
        ("UTS", host.uts_mode, ("", "host"), False),
        ("user namespace", host.userns_mode, ("", "host"), False),
        ("cgroup namespace", host.cgroupns_mode, ("", "private", "host"), False),
    ):
        of_container = shared and value.startswith("container:") and len(value) > len("container:")
        if value not in simple and not of_container:
            choice = ", ".join(filter(None, simple)) + (", container:NAME" if shared else "")
            raise InvalidParameter(f"invalid {name} mode: {value}: use {choice}")
    if config.hostname and host.uts_mode == "host":
        raise InvalidParameter("conflicting options: hostname and the UTS mode")


def _check_network(config: ContainerConfig, host: HostConfig) -> None:
    for address in host.dns:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise InvalidParameter(
                f"invalid DNS server {address!r}: an IP address is needed"
            ) from None
    for entry in host.extra_hosts:
        name, address = split_extra_host(entry)
        if not name or not (address == HOST_GATEWAY or _is_address(address)):
            raise InvalidParameter(f'bad format for add-host: "{entry}": use NAME:ADDRESS')
    published = ports.bindings(host.port_bindings, config.exposed_ports, publish_all=False)
    if not host.network_mode.startswith("container:"):
        return
    for value, what in (
        (config.hostname, "hostname and the network mode"),
        (host.dns, "dns and the network mode"),
        (host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (config.mac_address, "mac-address and the network mode"),
        (
            published or host.publish_all_ports,
            "port publishing and the container type network mode",
        ),
    ):
        if value:
            raise InvalidParameter(f"conflicting options: {what}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
