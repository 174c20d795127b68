"""What :func:`davit.spec.build.build` must be told beside the container itself."""

from __future__ import annotations

import msgspec

from davit.model.host import HostDevice, HostFacts, ResolvedUser
from davit.model.idmap import Remap


class SpecFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Resolved values of one start; paths are absolute paths of the host.

    rootfs: the mounted root. user: see ``sys.users.resolve``.
    netns: path of the network namespace, None to share the host's.
    ipc_path, pid_path: the namespace of the container named by ``container:…``
        (``/proc/PID/ns/ipc``).
    shm: a directory of the host for ``/dev/shm``, shared with whoever else has it; empty for a
        tmpfs of its own.
    hosts, hostname, resolv_conf: generated files, empty for none.
    cgroups_path: below every hierarchy's root, ``/davit-1a2b3c4d/<id>``.
    host_devices: nodes of ``/dev``, needed when privileged (``sys.devices.all_nodes``).
    devices: path asked for (``HostConfig.Devices``, ``BlkioDevice…``, ``BlkioWeightDevice``) →
        the nodes found there, several when it is a directory (``sys.devices.nodes``).
    init: a static tini or catatonit on the host, empty when there is none.
    link_env: ``NAME=value`` about the containers that this one links to.
    default_ulimits: the daemon's, name → (soft, hard).
    remap: the user namespace it runs in, None for the host's.
    sources: destination → what is bound there instead of the mount's own source.
    """

    host: HostFacts
    rootfs: str
    cgroups_path: str
    user: ResolvedUser = ResolvedUser()
    netns: str | None = None
    ipc_path: str = ""
    pid_path: str = ""
    shm: str = ""
    hosts: str = ""
    hostname: str = ""
    resolv_conf: str = ""
    host_devices: list[HostDevice] = []
    devices: dict[str, list[HostDevice]] = {}
    init: str = ""
    link_env: list[str] = []
    default_ulimits: dict[str, tuple[int, int]] = {}
    remap: Remap | None = None
    sources: dict[str, str] = {}
