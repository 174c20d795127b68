"""What the daemon knows of itself and of its host."""

from __future__ import annotations

import msgspec

from davit.config import Settings
from davit.model.swarm import SwarmInfo


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A program that davit runs, with what it says of its version; ``unknown`` when it does not."""

    name: str
    version: str
    commit: str = ""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine. memory: bytes. cgroup_version: 1 (also hybrid) or 2.

    swap_limit, cpu_quota: whether the kernel can limit these. backing_filesystem: that of the data
    root.
    """

    name: str
    kernel: str
    architecture: str
    operating_system: str
    os_version: str
    cpus: int
    memory: int
    cgroup_version: int
    controllers: frozenset[str]
    swap_limit: bool
    cpu_quota: bool
    ip_forwarding: bool
    seccomp: bool
    apparmor: bool
    backing_filesystem: str


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many objects there are."""

    running: int
    paused: int
    stopped: int
    images: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that ``GET /info`` and ``GET /version`` tell. instance_id: stable for a data root.

    init: path of the init for containers, empty for none.
    """

    instance_id: str
    settings: Settings
    host: Host
    counts: Counts
    runtime: Component
    monitor: Component
    swarm: SwarmInfo
    init: str
    open_files: int
    tasks: int
    listeners: int
    started: int
