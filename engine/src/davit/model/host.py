"""What the machine grants to containers, and what of it a container is given."""

from __future__ import annotations

import msgspec


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of this machine and of davitd itself.

    capabilities: davitd's own bounding set (``CAP_…``): no container can have more.
    cgroup_version: 1 or 2. swap_accounting: whether memory + swap can be limited.
    seccomp, apparmor, selinux: what the running kernel offers.
    x32: whether it runs programs of the x32 ABI (x86-64 only; most kernels do not).
    hard_limits: rlimit name (``nofile``) → davitd's own hard limit, -1 for unlimited.
    architecture: ``uname -m``. kernel: (major, minor). oom_score_adj: davitd's own.
    memory_nodes: those online, ``0`` or ``0-1`` (node/online in sysfs).
    recursive_read_only: whether the kernel and the OCI runtime make all submounts of a bind
        read-only (mount_setattr(2), option ``rro``).
    realtime: whether cgroups have a share of the real-time scheduler (CONFIG_RT_GROUP_SCHED).
    """

    capabilities: frozenset[str]
    cgroup_version: int = 2
    swap_accounting: bool = True
    seccomp: bool = True
    apparmor: bool = False
    selinux: bool = False
    x32: bool = False
    hard_limits: dict[str, int] = {}
    architecture: str = "x86_64"
    kernel: tuple[int, int] = (5, 0)
    oom_score_adj: int = 0
    memory_nodes: str = "0"
    recursive_read_only: bool = False
    realtime: bool = False

    @property
    def may_raise_limits(self) -> bool:
        """Whether resource limits and OOM scores may go beyond davitd's own (capabilities(7))."""
        return "CAP_SYS_RESOURCE" in self.capabilities


class HostDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device node of the host. kind: ``c`` or ``b``; mode: permission bits."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class ResolvedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user as numbers, looked up in the container's own ``/etc/passwd`` and ``/etc/group``."""

    uid: int = 0
    gid: int = 0
    additional_gids: list[int] = []
    home: str = "/root"
