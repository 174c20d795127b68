# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""What a host has, and what keeps it from running an engine.

``gather`` reads the host and changes nothing; ``find_problems`` is pure and says for each thing
that is missing what to do about it.
"""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.davit.fleet.plugins.module_utils import _flavors, _kernel

MIN_PYTHON = (3, 10)
MIN_KERNEL = (4, 18)
ARCHITECTURES = ("x86_64", "aarch64")
CONTROLLERS = ("cpu", "memory", "pids")
PYTHON_MODULES = ("asyncio", "bz2", "ctypes", "lzma", "sqlite3", "ssl", "zlib")
PACKAGE_MANAGERS = ("apt-get", "dnf", "yum", "zypper", "pacman")
# Executable → package, where the names differ.
PACKAGES = {"nft": "nftables", "ip": "iproute"}
DEBIAN_PACKAGES = {**PACKAGES, "ip": "iproute2"}
_SEARCH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_TCP_LISTEN = "0A"


@dataclass(frozen=True)
class Wanted:
    """What the engine will need.

    commands: executables; ports: TCP ports that it will listen on;
    space: directory → free bytes; root: where releases of davit live;
    flavor: "davit" or "moby"; other: what becomes of a running engine of the other flavor.
    """

    root: str
    data_root: str
    commands: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    space: dict[str, int] = field(default_factory=dict)
    flavor: str = "davit"
    other: str = "fail"


@dataclass(frozen=True)
class Facts:
    """What the host has. Everything is JSON-serialisable."""

    uid: int
    architecture: str
    kernel: str
    libc: tuple[str, str]
    python: tuple[int, int]
    python_missing: tuple[str, ...]
    systemd: bool
    cgroup_version: int
    cgroup_controllers: tuple[str, ...]
    cgroup_writable: bool
    features: dict[str, str | None]
    commands: dict[str, str | None]
    package_manager: str | None
    free: dict[str, int]
    ports: dict[int, str]
    releases: dict[str, dict[str, Any]]
    current: str | None
    running: list[str] = field(default_factory=list)
    moby: dict[str, dict[str, Any]] = field(default_factory=dict)


def gather(wanted: Wanted) -> Facts:
    """Read the host."""
    version, controllers, writable = _cgroups()
    missing = tuple(name for name in PYTHON_MODULES if importlib.util.find_spec(name) is None)
    as_root = os.geteuid() == 0
    return Facts(
        uid=os.geteuid(),
        architecture=platform.machine(),
        kernel=platform.release(),
        libc=_libc(),
        python=sys.version_info[:2],
        python_missing=missing,
        systemd=os.path.isdir("/run/systemd/system"),
        cgroup_version=version,
        cgroup_controllers=controllers,
        cgroup_writable=writable,
        # ctypes is what the probes are made of.
        features=_kernel.probe_all(_existing(wanted.data_root))
        if as_root and "ctypes" not in missing
        else {},
        commands={name: shutil.which(name, path=_SEARCH) for name in wanted.commands},
        package_manager=next(
            (name for name in PACKAGE_MANAGERS if shutil.which(name, path=_SEARCH)), None
        ),
        free={path: _free_bytes(path) for path in wanted.space},
        ports=_port_owners(wanted.ports, _flavors.PROGRAMS[wanted.flavor]),
        releases=read_releases(wanted.root),
        current=current_release(wanted.root),
        running=_flavors.running(),
        moby=_flavors.packages(),
    )


def find_problems(facts: Facts, wanted: Wanted) -> list[str]:
    """Return one sentence for each thing that keeps the host from running the engine."""
    if facts.uid != 0:
        return ["not root: set `become: true` for this host"]
    moby = wanted.flavor == "moby"
    return [
        *_flavor_problems(facts, wanted),
        *(() if moby else _platform_problems(facts)),
        *_system_problems(facts),
        *_cgroup_problems(facts),
        *(
            f"the kernel refuses {name} ({error}): {_FEATURE_ADVICE[name]}"
            for name, error in facts.features.items()
            if error is not None and not (moby and name == "nftables")
        ),
        *_resource_problems(facts, wanted),
    ]


def missing_packages(facts: Facts) -> list[str]:
    """Return the packages that bring the commands which the host lacks."""
    names = DEBIAN_PACKAGES if facts.package_manager == "apt-get" else PACKAGES
    return sorted(names.get(name, name) for name, path in facts.commands.items() if path is None)


_FEATURE_ADVICE = {
    "namespaces": "use a kernel built with all namespaces, and a host that may create them",
    "overlayfs": "put the data root on ext4, xfs (ftype=1) or btrfs, and load the module overlay",
    "bridge": "load the module bridge",
    "veth": "load the module veth",
    "nftables": "load the module nf_tables",
}


def _flavor_problems(facts: Facts, wanted: Wanted) -> list[str]:
    problems = []
    other = "moby" if wanted.flavor == "davit" else "davit"
    if other in facts.running and wanted.other == "fail":
        problems.append(
            f"{_flavors.UNITS[other]} runs here, an engine of the other flavor: set "
            "davit_engine_other to remove to have it stopped and taken away (its data stays), or "
            "to keep to have both side by side"
        )
    if wanted.flavor == "moby":
        if facts.package_manager != "apt-get":
            problems.append("Moby is installed with apt, and there is none: use Debian or Ubuntu")
        problems.extend(
            f"{name} is installed, another package of Moby: remove it (its data stays), or leave "
            "this host to whoever installed it"
            for name in _flavors.FOREIGN
            if name in facts.moby
        )
    return problems


def _platform_problems(facts: Facts) -> list[str]:
    problems = []
    if facts.architecture not in ARCHITECTURES:
        problems.append(
            f"architecture {facts.architecture}: davit runs on {' and '.join(ARCHITECTURES)}"
        )
    if _version(facts.kernel) < MIN_KERNEL:
        problems.append(f"kernel {facts.kernel}: upgrade it to {_dotted(MIN_KERNEL)} or later")
    if facts.python < MIN_PYTHON:
        problems.append(
            f"Python {_dotted(facts.python)}: davit needs {_dotted(MIN_PYTHON)} or later; "
            "install one and point ansible_python_interpreter to it"
        )
    if facts.python_missing:
        problems.append(
            f"Python lacks {', '.join(facts.python_missing)}: "
            "install the distribution's whole Python (python3, not python3-minimal)"
        )
    return problems


def _system_problems(facts: Facts) -> list[str]:
    if facts.systemd:
        return []
    return ["systemd does not run this host: it is needed to supervise the engine"]


def _cgroup_problems(facts: Facts) -> list[str]:
    if facts.cgroup_version == 0:
        return ["no cgroups are mounted below /sys/fs/cgroup: mount cgroup2 there"]
    problems = []
    if missing := [name for name in CONTROLLERS if name not in facts.cgroup_controllers]:
        problems.append(
            f"cgroup controllers {', '.join(missing)} are off: "
            f"remove cgroup_disable= from the kernel's command line or enable them"
        )
    if not facts.cgroup_writable:
        problems.append("/sys/fs/cgroup is read-only: remount it read-write")
    return problems


def _resource_problems(facts: Facts, wanted: Wanted) -> list[str]:
    missing = sorted(name for name, path in facts.commands.items() if path is None)
    problems = []
    if missing and facts.package_manager is None:
        problems.append(
            f"{', '.join(missing)} not found, and no known package manager to install it: "
            "install it by hand"
        )
    for path, needed in wanted.space.items():
        free = facts.free[path]
        if free < needed:
            problems.append(
                f"{path} has {free >> 20} MiB free, and {needed >> 20} MiB are needed: make room"
            )
    for port, owner in facts.ports.items():
        problems.append(f"TCP port {port} is held by {owner}: stop it or choose another port")
    return problems


def read_releases(root: str) -> dict[str, dict[str, Any]]:
    """Return the complete releases below root: version → its release.json."""
    releases = {}
    for path in glob.glob(os.path.join(root, "releases", "[!.]*", "release.json")):
        with open(path, encoding="utf-8") as file:
            releases[os.path.basename(os.path.dirname(path))] = json.load(file)
    return releases


def current_release(root: str) -> str | None:
    """Return the version that the symlink names, None when there is none."""
    try:
        return os.path.basename(os.readlink(os.path.join(root, "current")))
    except FileNotFoundError:
        return None


def _libc() -> tuple[str, str]:
    """Return ("glibc", "2.36"), or ("musl", "") where there is no glibc to ask."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (ValueError, OSError):
        return "musl", ""
    return name, version


def _cgroups() -> tuple[int, tuple[str, ...], bool]:
    """Return version (0: none), controllers and whether all of it is writable."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split() for line in file]
    below = [mount for mount in mounts if mount[1].startswith("/sys/fs/cgroup")]
    version_1 = [mount for mount in below if mount[2] == "cgroup"]
    version_2 = [mount for mount in below if mount[2] == "cgroup2"]
    writable = all("rw" in mount[3].split(",") for mount in version_1 + version_2)
    if version_1:
        options = {option for mount in version_1 for option in mount[3].split(",")}
        return 1, tuple(sorted(options & {*CONTROLLERS, "blkio", "cpuset", "devices"})), writable
    if version_2:
        with open("/sys/fs/cgroup/cgroup.controllers", encoding="utf-8") as file:
            return 2, tuple(file.read().split()), writable
    return 0, (), False


def _existing(path: str) -> str:
    """Return path, or its nearest ancestor that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _free_bytes(path: str) -> int:
    state = os.statvfs(_existing(path))
    return state.f_bavail * state.f_frsize


def _port_owners(ports: tuple[int, ...], engine: str) -> dict[int, str]:
    """Return the ports that a process other than the engine listens on, with its name."""
    inodes = _listening_inodes()
    taken = {port: inodes[port] for port in ports if port in inodes}
    owners = {port: _socket_owner(inode) for port, inode in taken.items()}
    return {port: owner for port, owner in owners.items() if not owner.startswith(f"{engine} ")}


def _listening_inodes() -> dict[int, str]:
    inodes = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(path):
            continue
        with open(path, encoding="ascii") as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == _TCP_LISTEN:
                    inodes[int(fields[1].rpartition(":")[2], 16)] = fields[9]
    return inodes


def _socket_owner(inode: str) -> str:
    """Return "nginx (process 12)" for the process that holds a socket."""
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) != f"socket:[{inode}]":
                continue
            process = link.split("/")[2]
            with open(f"/proc/{process}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue  # the process or its descriptor has gone
        names = [os.path.basename(argument).decode(errors="replace") for argument in arguments]
        # A Python program's first argument is the interpreter.
        name = "davitd" if "davitd" in names[:3] else names[0]
        return f"{name} (process {process})"
    return "an unknown process"


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release)[:2])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
