"""Kernel parameters of a container's own namespaces. Source: namespaces(7), sysctl(5)."""

from __future__ import annotations

import re

from davit.errors import InvalidParameter
from davit.model.config import ContainerConfig, HostConfig
from davit.spec.facts import SpecFacts

_IPC = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
    "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip
# Docker's defaults since 20.10: ping without NET_RAW, port 80 without NET_BIND_SERVICE.
_PORTS = {"net.ipv4.ip_unprivileged_port_start": "0"}
_PING = "net.ipv4.ping_group_range"
_OF_INTERFACE = re.compile(r"net\.ipv[46]\.(conf|neigh)\.(?!all\.|default\.)")


def build(config: ContainerConfig, host: HostConfig, facts: SpecFacts) -> dict[str, str]:
    """Return what the runtime sets.

    Parameters of an interface are not among it: the interface comes later, and so ``join`` sets
    them (``JoinRequest.sysctls``).
    """
    values: dict[str, str] = {}
    if facts.netns is not None and not host.network_mode.startswith("container:"):
        # The range must be groups of the user namespace.
        groups = sum(entry.size for entry in facts.remap.ids.gids) if facts.remap else 1 << 31
        values |= {**_PORTS, _PING: f"0 {groups - 1}"}
    if config.domainname and host.uts_mode != "host":
        values["kernel.domainname"] = config.domainname
    values |= host.sysctls
    return {name: value for name, value in values.items() if not _OF_INTERFACE.match(name)}


def check(host: HostConfig) -> None:
    """Raise InvalidParameter for parameters that would change the whole host."""
    for name in host.sysctls:
        if name.startswith("net."):
            if host.network_mode == "host":
                raise _refused(name, "the container shares the host's network")
        elif name in _IPC or name.startswith("fs.mqueue."):
            if host.ipc_mode == "host":
                raise _refused(name, "the container shares the host's IPC namespace")
        else:
            raise _refused(
                name,
                f"it is not namespaced: only net.*, fs.mqueue.* and {', '.join(_IPC)} are; set it "
                "on the host instead",
            )


def _refused(name: str, why: str) -> InvalidParameter:
    return InvalidParameter(f"sysctl '{name}' is not allowed: {why}")
