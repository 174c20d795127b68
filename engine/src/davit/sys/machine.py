"""What this machine is and grants at the moment. Sources: proc(5), os-release(5), cgroups(7)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from davit.model.system import Host
from davit.sys.host import CGROUP_ROOT, cgroup_version


def read(data_root: Path) -> Host:
    """Return the machine as it is now. Blocking, but only reads of /proc and /sys."""
    release = _os_release()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    version = cgroup_version()
    return Host(
        name=platform.node(),
        kernel=platform.release(),
        architecture=platform.machine(),
        operating_system=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        cgroup_version=version,
        controllers=_controllers(version),
        swap_limit=version == 2 or (CGROUP_ROOT / "memory/memory.memsw.limit_in_bytes").exists(),
        cpu_quota=version == 2 or (CGROUP_ROOT / "cpu/cpu.cfs_quota_us").exists(),
        ip_forwarding=_forwards(),
        seccomp="\nSeccomp:" in status,
        apparmor=Path("/sys/kernel/security/apparmor/profiles").exists(),
        backing_filesystem=filesystem(data_root),
    )


def filesystem(path: Path) -> str:
    """Return the type of the file system that a path is on, as the mount table names it."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return "unknown"


def _controllers(version: int) -> frozenset[str]:
    if version == 2:
        return frozenset((CGROUP_ROOT / "cgroup.controllers").read_text(encoding="ascii").split())
    return frozenset(entry.name for entry in CGROUP_ROOT.iterdir() if entry.is_dir())


def _forwards() -> bool:
    try:
        text = Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii")
    except OSError:
        return False
    return text.strip() == "1"


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
