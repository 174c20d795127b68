"""What this machine grants: read once when davitd starts. Sources: proc(5), capabilities(7)."""

from __future__ import annotations

import ctypes
import os
import re
import resource
from pathlib import Path

from davit.model.host import HostFacts
from davit.sys.realtime import is_there as has_realtime

CGROUP_ROOT = Path("/sys/fs/cgroup")
_MOUNT_SETATTR = (5, 12)
_X32_GETPID = 0x40000000 | 39  # __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h
_libc = ctypes.CDLL(None, use_errno=True)
_RLIMIT = re.compile(r"RLIMIT_([A-Z]+)\Z")


def umask() -> int:
    """The permissions that a file does not get which this process makes."""
    # umask(2) only tells it by changing it, for all threads.
    (line,) = re.findall(r"^Umask:\s+(\d+)$", Path("/proc/self/status").read_text(), re.M)
    return int(line, 8)


def read(
    capability_names: tuple[str, ...], *, mount_options: frozenset[str] = frozenset()
) -> HostFacts:
    """Return the facts. Blocking, but only reads of /proc and /sys.

    capability_names: by bit number, as in ``spec.capabilities.ALL``.
    mount_options: those that the OCI runtime knows.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    bits = int(re.findall(r"^CapBnd:\s*([0-9a-f]+)", status, re.M)[0], 16)
    release = os.uname().release
    major, minor = (int(number) for number in re.findall(r"\d+", release)[:2])
    version = cgroup_version()
    return HostFacts(
        capabilities=frozenset(
            name for bit, name in enumerate(capability_names) if bits >> bit & 1
        ),
        cgroup_version=version,
        swap_accounting=version == 2
        or (CGROUP_ROOT / "memory/memory.memsw.limit_in_bytes").exists(),
        seccomp=re.search(r"^Seccomp:", status, re.M) is not None,
        apparmor=_says(Path("/sys/module/apparmor/parameters/enabled"), "Y"),
        selinux=Path("/sys/fs/selinux/enforce").exists(),
        x32=os.uname().machine == "x86_64" and _libc.syscall(_X32_GETPID) > 0,
        hard_limits=_hard_limits(),
        architecture=os.uname().machine,
        kernel=(major, minor),
        oom_score_adj=int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii")),
        memory_nodes=_memory_nodes(),
        recursive_read_only="rro" in mount_options and (major, minor) >= _MOUNT_SETATTR,
        realtime=version == 1 and has_realtime(CGROUP_ROOT / "cpu"),
    )


def cgroup_version() -> int:
    """2 when the unified hierarchy alone is mounted, 1 for the old or the hybrid layout."""
    return 2 if (CGROUP_ROOT / "cgroup.controllers").exists() else 1


def hierarchies() -> list[Path]:
    """Return the mount point of each cgroup hierarchy."""
    if cgroup_version() == 2:
        return [CGROUP_ROOT]
    found = [
        Path(fields[1])
        for fields in map(str.split, Path("/proc/self/mounts").read_text().splitlines())
        if fields[2] in ("cgroup", "cgroup2") and Path(fields[1]).parent == CGROUP_ROOT
    ]
    return found


def _memory_nodes() -> str:
    try:
        return Path("/sys/devices/system/node/online").read_text(encoding="ascii").strip() or "0"
    except OSError:  # a kernel without NUMA
        return "0"


def _hard_limits() -> dict[str, int]:
    limits = {}
    for constant in dir(resource):
        if match := _RLIMIT.match(constant):
            _, hard = resource.getrlimit(getattr(resource, constant))
            limits[match.group(1).lower()] = hard  # RLIM_INFINITY is -1 here
    return limits


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="ascii").strip() == text
    except OSError:
        return False
