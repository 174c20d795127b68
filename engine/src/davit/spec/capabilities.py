"""Which capabilities a container's processes get. Source: capabilities(7), Docker's documentation
("Runtime privilege and Linux capabilities")."""

from __future__ import annotations

from davit.errors import InvalidParameter
from davit.model.config import HostConfig
from davit.model.host import HostFacts

# In the kernel's order: the index is the bit in /proc/PID/status (include/uapi/linux/capability.h).
_ALL = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
    BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
ALL = tuple(f"CAP_{name}" for name in _ALL.split())
_DEFAULT = """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
    SYS_CHROOT KILL AUDIT_WRITE
"""
DEFAULT = tuple(f"CAP_{name}" for name in _DEFAULT.split())


def granted(host: HostConfig, facts: HostFacts) -> list[str]:
    """Return the capabilities of a container, in the kernel's order.

    "ALL", the default set and privilege mean what davitd's own bounding set holds of them.
    """
    if host.privileged:
        return [name for name in ALL if name in facts.capabilities]
    add = {_name(text, "CapAdd") for text in host.cap_add}
    drop = {_name(text, "CapDrop") for text in host.cap_drop}
    if "ALL" in add:
        wanted = set(ALL) - drop
    elif "ALL" in drop:
        wanted = add
    else:
        wanted = (set(DEFAULT) | add) - drop
    return [name for name in ALL if name in wanted and name in facts.capabilities]


def check(host: HostConfig, facts: HostFacts) -> None:
    """Raise InvalidParameter for an unknown capability, or one that davitd lacks itself."""
    for text in host.cap_drop:
        _name(text, "CapDrop")
    for text in host.cap_add:
        name = _name(text, "CapAdd")
        if name != "ALL" and name not in facts.capabilities:
            raise InvalidParameter(
                f"CapAdd: {name} cannot be granted: davitd's own bounding set lacks it; "
                "drop it, or run davitd with it"
            )


def _name(text: str, option: str) -> str:
    name = text.strip().upper()
    if name == "ALL":
        return name
    if not name.startswith("CAP_"):
        name = f"CAP_{name}"
    if name not in ALL:
        raise InvalidParameter(
            f'{option}: unknown capability: "{text}": use a name of capabilities(7), such as '
            "NET_ADMIN, or ALL"
        )
    return name
