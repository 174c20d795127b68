"""Pure: what the options of a local volume mean.

``type``, ``device`` and ``o`` are those of mount(8), given to mount(2) as Docker does, without a
helper program: ``type=tmpfs``, ``device=tmpfs``, ``o=size=64m,uid=1000``; a directory of this host
is ``type=none``, ``o=bind``, ``device=/srv/data``; ``type=nfs`` needs the server in ``o=addr=…``,
too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from davit.errors import InvalidParameter
from davit.sys import mount

_OPTIONS = ("type", "o", "device", "size")
_NETWORK = ("nfs", "cifs")
# Words of mount(8) → flags to set and to clear.
_FLAGS = {
    "defaults": (0, 0),
    "ro": (mount.MS_RDONLY, 0),
    "rw": (0, mount.MS_RDONLY),
    "nosuid": (mount.MS_NOSUID, 0),
    "suid": (0, mount.MS_NOSUID),
    "nodev": (mount.MS_NODEV, 0),
    "dev": (0, mount.MS_NODEV),
    "noexec": (mount.MS_NOEXEC, 0),
    "exec": (0, mount.MS_NOEXEC),
    "sync": (mount.MS_SYNCHRONOUS, 0),
    "async": (0, mount.MS_SYNCHRONOUS),
    "dirsync": (mount.MS_DIRSYNC, 0),
    "noatime": (mount.MS_NOATIME, 0),
    "atime": (0, mount.MS_NOATIME),
    "nodiratime": (mount.MS_NODIRATIME, 0),
    "diratime": (0, mount.MS_NODIRATIME),
    "relatime": (mount.MS_RELATIME, 0),
    "norelatime": (0, mount.MS_RELATIME),
    "strictatime": (mount.MS_STRICTATIME, 0),
    "nostrictatime": (0, mount.MS_STRICTATIME),
    "bind": (mount.MS_BIND, 0),
    "rbind": (mount.MS_BIND | mount.MS_REC, 0),
}
_PROPAGATION = {
    "private": mount.MS_PRIVATE,
    "slave": mount.MS_SLAVE,
    "shared": mount.MS_SHARED,
    "rprivate": mount.MS_PRIVATE | mount.MS_REC,
    "rslave": mount.MS_SLAVE | mount.MS_REC,
    "rshared": mount.MS_SHARED | mount.MS_REC,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}


@dataclass(frozen=True)
class MountPlan:
    """One call of mount(2); propagation: flags of a second one, 0 for none."""

    source: str
    kind: str
    flags: int = 0
    data: str = ""
    propagation: int = 0

    def __str__(self) -> str:
        """As errors tell it: without a password."""
        words = (
            "password=********" if word.startswith("password=") else word
            for word in self.data.split(",")
        )
        return f"{self.source}, type: {self.kind}, data: {','.join(words)}"


def check(options: Mapping[str, str]) -> None:
    """Raise InvalidParameter for options that this driver does not have, in Docker's words."""
    for name in options:
        if name not in _OPTIONS:
            raise InvalidParameter(
                f'invalid option: "{name}": the local driver knows {", ".join(_OPTIONS)}'
            )
    if size_of(options.get("size", "")):
        raise InvalidParameter(
            f'quota size requested but no quota support: option "size" ({options["size"]}): davit '
            "sets no project quotas; a tmpfs (type=tmpfs, device=tmpfs, o=size=…) or a device with "
            "a file system of its own, is as large as it is made"
        )
    if needs_mount(options):
        for name in ("type", "device"):
            if not options.get(name):
                raise InvalidParameter(
                    f'missing required option: "{name}": options {", ".join(sorted(options))} '
                    "describe a mount, which needs a type and a device"
                )
    if options.get("type") == "cifs" and ":" in urlsplit(options["device"]).netloc:
        raise InvalidParameter(
            "port not allowed in CIFS device URL, include 'port' in 'o=': option \"device\" "
            f"({options['device']})"
        )


def needs_mount(options: Mapping[str, str]) -> bool:
    """Whether something is mounted over the volume's directory while it is in use."""
    return any(options.get(name) for name in ("type", "o", "device"))


def size_of(text: str) -> int:
    """Bytes in a size such as ``10g`` or ``512MiB``; none is 0. Raises InvalidParameter."""
    if not text:
        return 0
    found = _SIZE.fullmatch(text.lower())
    if found is None:
        raise InvalidParameter(f"invalid size: '{text}': use a number with k, m, g, t or p")
    return int(float(found[1]) * (1 << _UNITS[found[2]]))


def plan(options: Mapping[str, str], resolve: Callable[[str], str]) -> MountPlan:
    """Return how to mount what checked options describe.

    resolve: the address of a host name; the kernel knows none. What it raises goes through.
    """
    kind, device, text = options["type"], options["device"], options.get("o", "")
    if kind in _NETWORK:
        device, text = _with_address(kind, device, text, resolve)
    flags = propagation = 0
    data: list[str] = []
    for word in filter(None, text.split(",")):
        if word in _FLAGS:
            chosen, cleared = _FLAGS[word]
            flags = (flags | chosen) & ~cleared
        elif word in _PROPAGATION:
            propagation = _PROPAGATION[word]
        else:
            data.append(word)
    return MountPlan(device, kind, flags, ",".join(data), propagation)


def _with_address(
    kind: str, device: str, text: str, resolve: Callable[[str], str]
) -> tuple[str, str]:
    words = text.split(",")
    for number, word in enumerate(words):
        name, _, server = word.partition("=")
        if name == "addr" and server:
            if not _is_address(server):
                words[number] = f"addr={resolve(server)}"
            return device, ",".join(words)
    server = urlsplit(device).hostname or ""
    if kind == "cifs" and server and not _is_address(server):
        # The kernel takes the rest as it is, so what a URL had to escape is undone.
        device = unquote(device.replace(server, resolve(server), 1))
    return device, text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
