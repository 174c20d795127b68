"""What is mounted in a container. Source: OCI runtime specification (config.md), docker-run(1)."""

from __future__ import annotations

import re
from typing import Any

from davit.errors import InvalidParameter
from davit.model.config import HostConfig, Mount
from davit.model.container import Container
from davit.model.host import HostFacts
from davit.model.volume import MountPoint
from davit.spec import process
from davit.spec.facts import SpecFacts

DEFAULT_SHM_SIZE = 64 << 20
_TMPFS_DEFAULTS = ("nosuid", "noexec", "nodev")
# tmpfs(5), mount(8); a word replaces its opposite.
_OPPOSITES = {
    "exec": "noexec",
    "suid": "nosuid",
    "dev": "nodev",
    "rw": "ro",
    "async": "sync",
    "atime": "noatime",
    "diratime": "nodiratime",
    "norelatime": "relatime",
    "nostrictatime": "strictatime",
}
_OPPOSITE = {**_OPPOSITES, **{value: key for key, value in _OPPOSITES.items()}}
_TMPFS_VALUES = {
    "size": re.compile(r"\d+[kKmMgG%]?\Z"),
    "nr_blocks": re.compile(r"\d+[kKmMgG]?\Z"),
    "nr_inodes": re.compile(r"\d+[kKmMgG]?\Z"),
    "mode": re.compile(r"[0-7]{1,4}\Z"),
    "uid": re.compile(r"\d+\Z"),
    "gid": re.compile(r"\d+\Z"),
    "mpol": re.compile(r"\S+\Z"),
}
# What a read-only root does not make read-only.
_ALWAYS_WRITABLE = ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")


def build(container: Container, facts: SpecFacts) -> list[dict[str, Any]]:
    """Return all mounts, parents before children; a container's own shadow the default ones."""
    host = container.host_config
    own = _own(container, facts)
    taken = {mount["destination"] for mount in own}
    defaults = [
        mount
        for mount in _defaults(host, facts)
        if mount["destination"] not in taken
        and not ("/dev" in taken and mount["destination"].startswith("/dev/"))
    ]
    if host.readonly_rootfs:
        for mount in defaults:
            if mount["destination"] not in _ALWAYS_WRITABLE and "ro" not in mount["options"]:
                mount["options"].append("ro")
    return defaults + sorted(own, key=lambda mount: str(mount["destination"]).count("/"))


def root_propagation(container: Container) -> str:
    """What the root must be for the propagation that the mounts ask for (mount_namespaces(7))."""
    asked = {point.propagation for point in container.mounts}
    if asked & {"shared", "rshared"}:
        return "shared"
    if asked & {"slave", "rslave"}:
        return "rslave"
    return "rprivate"


def check(host: HostConfig) -> None:
    """Raise InvalidParameter for tmpfs options that mount(2) would refuse."""
    for path, text in host.tmpfs.items():
        _tmpfs_options(text, path)
    for mount in host.mounts:
        _tmpfs_options(_tmpfs_text(mount), mount.target)


def _defaults(host: HostConfig, facts: SpecFacts) -> list[dict[str, Any]]:
    read_only = [] if host.privileged else ["ro"]
    shm_size = host.shm_size or DEFAULT_SHM_SIZE
    mounts = [
        _mount("proc", "/proc", "proc", ["nosuid", "noexec", "nodev"]),
        _mount("tmpfs", "/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "devpts",
            "/dev/pts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("sysfs", "/sys", "sysfs", ["nosuid", "noexec", "nodev", *read_only]),
        _mount("cgroup", "/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", *read_only]),
    ]
    # Shows the queues of the IPC namespace that the container is in, whosever it is.
    mounts.append(_mount("mqueue", "/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]))
    if shm := "/dev/shm" if host.ipc_mode == "host" else facts.shm:
        mounts.append(_bind(shm, "/dev/shm", ["rbind", "rprivate"]))
    elif host.ipc_mode != "none":
        options = [*_TMPFS_DEFAULTS, "mode=1777", f"size={shm_size}"]
        mounts.append(_mount("shm", "/dev/shm", "tmpfs", options))
    return mounts


def _own(container: Container, facts: SpecFacts) -> list[dict[str, Any]]:
    host = container.host_config
    asked = {mount.target.rstrip("/") or "/": mount for mount in host.mounts}
    mounts: dict[str, dict[str, Any]] = {}
    for source, target in (
        (facts.hosts, "/etc/hosts"),
        (facts.hostname, "/etc/hostname"),
        (facts.resolv_conf, "/etc/resolv.conf"),
    ):
        if source:
            mounts[target] = _bind(source, target, ["rbind", "rprivate"])
    for path, text in host.tmpfs.items():
        mounts[path.rstrip("/")] = _mount("tmpfs", path, "tmpfs", _tmpfs_options(text, path))
    for point in container.mounts:
        source = facts.sources.get(point.destination, point.source)
        mounts[point.destination] = _point(point, source, asked.get(point.destination), facts.host)
    if process.has_init(host, facts):
        mounts[process.INIT_PATH] = _bind(facts.init, process.INIT_PATH, ["bind", "ro"])
    return list(mounts.values())


def _point(point: MountPoint, source: str, asked: Mount | None, host: HostFacts) -> dict[str, Any]:
    if point.type == "tmpfs":
        text = _tmpfs_text(asked) if asked else ""
        options = _tmpfs_options(text, point.destination)
        return _mount("tmpfs", point.destination, "tmpfs", options)
    bind = point.bind_options
    options = ["bind" if bind.non_recursive else "rbind", point.propagation or "rprivate"]
    if not point.rw:
        if bind.read_only_force_recursive and not host.recursive_read_only:
            raise InvalidParameter(
                f"recursive read-only mount of {point.destination}: the kernel (5.12) or the OCI "
                "runtime (rro) is too old: leave ReadOnlyForceRecursive out"
            )
        deep = host.recursive_read_only and not bind.read_only_non_recursive
        options.append("rro" if deep else "ro")
    return _bind(source, point.destination, options)


def _tmpfs_text(mount: Mount) -> str:
    words = ["ro"] if mount.read_only else []
    if options := mount.tmpfs_options:
        if options.size_bytes:
            words.append(f"size={options.size_bytes}")
        if options.mode:
            words.append(f"mode={options.mode:o}")
        words += ["=".join(pair) for pair in options.options]
    return ",".join(words)


def _tmpfs_options(text: str, path: str) -> list[str]:
    """Merge mount options with the defaults; a later word replaces its opposite."""
    chosen: dict[str, str] = {word: word for word in _TMPFS_DEFAULTS}
    for word in filter(None, text.split(",")):
        name, given, value = word.partition("=")
        known = _TMPFS_VALUES.get(name)
        if word not in _OPPOSITE and not (given and known and known.match(value)):
            raise InvalidParameter(f"invalid tmpfs option {word!r} for {path}: see tmpfs(5)")
        chosen.pop(_OPPOSITE.get(word, ""), None)
        chosen[name] = word
    return list(chosen.values())


def _bind(source: str, destination: str, options: list[str]) -> dict[str, Any]:
    return _mount(source, destination, "bind", options)


def _mount(source: str, destination: str, kind: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}
