"""``SecurityOpt``, masked and read-only paths. Source: Engine API, docker-run(1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from davit.errors import InvalidParameter, NotSupported
from davit.model.config import HostConfig
from davit.model.host import HostFacts

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)
_KNOWN = "seccomp=, no-new-privileges, systempaths=unconfined, apparmor=, label="


@dataclass(frozen=True)
class Options:
    """A parsed ``SecurityOpt``.

    seccomp: None for the default profile, ``unconfined``, or a profile's JSON text. label: as
    given, for SELinux. unconfined_paths: nothing is masked or read-only.
    """

    seccomp: str | None = None
    no_new_privileges: bool = False
    apparmor: str = ""
    label: str = ""
    unconfined_paths: bool = False


def parse(entries: Sequence[str]) -> Options:
    """Read ``key=value`` entries (``key:value`` is the old way). Raises InvalidParameter."""
    seccomp: str | None = None
    no_new_privileges = unconfined_paths = False
    apparmor = label = ""
    for entry in entries:
        separator = "=" if "=" in entry and ":" not in entry.partition("=")[0] else ":"
        key, given, value = entry.partition(separator)
        if key == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise InvalidParameter(f"invalid --security-opt: {entry!r}: use true or false")
            no_new_privileges = value != "false"
        elif key == "seccomp" and value:
            seccomp = None if value == "builtin" else value
        elif key == "apparmor" and value:
            apparmor = value
        elif key == "label" and given:
            label = value
        elif key == "systempaths" and value == "unconfined":
            unconfined_paths = True
        else:
            raise InvalidParameter(f"invalid --security-opt: {entry!r}: davit knows {_KNOWN}")
    return Options(seccomp, no_new_privileges, apparmor, label, unconfined_paths)


def check(options: Options, facts: HostFacts) -> None:
    """Raise NotSupported for a label that would be ignored. Without SELinux there is none to set,
    and without AppArmor no profile, as with Docker."""
    if facts.selinux and options.label not in ("", "disable"):
        raise NotSupported(
            f"SecurityOpt label={options.label}: davit sets no SELinux labels: use label=disable"
        )


def masked_paths(host: HostConfig, options: Options) -> list[str]:
    if host.masked_paths is not None:
        return host.masked_paths
    return [] if host.privileged or options.unconfined_paths else list(MASKED_PATHS)


def readonly_paths(host: HostConfig, options: Options) -> list[str]:
    if host.readonly_paths is not None:
        return host.readonly_paths
    return [] if host.privileged or options.unconfined_paths else list(READONLY_PATHS)
