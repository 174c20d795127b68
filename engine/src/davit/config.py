"""The daemon's settings: one frozen value, made once by ``cli.py`` and passed down."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

DEFAULT_CONFIG_FILE = Path("/etc/davit/davit.toml")
DEFAULT_DATA_ROOT = Path("/var/lib/davit")
DEFAULT_RUN_ROOT = Path("/run/davit")
DEFAULT_TLS = Path("/etc/davit/tls")
REGISTRY_CERTIFICATES = (Path("/etc/davit/certs.d"), Path("/etc/docker/certs.d"))
"""Of registries, in a directory for each ``host[:port]``."""
DEFAULT_GC_GRACE = 3600
DEFAULT_MAX_LAYER_SIZE = 100 << 30
DEFAULT_HOST = "unix:///run/davit/davit.sock"


@dataclass(frozen=True)
class AddressPool:
    """A block from which networks without a subnet of their own are cut.

    base: CIDR of the block, ``172.17.0.0/12``; size: prefix length of each network cut from it.
    """

    base: str
    size: int


DEFAULT_ADDRESS_POOLS = (
    AddressPool("172.17.0.0/16", 16),
    AddressPool("172.18.0.0/16", 16),
    AddressPool("172.19.0.0/16", 16),
    AddressPool("172.20.0.0/14", 16),
    AddressPool("172.24.0.0/14", 16),
    AddressPool("172.28.0.0/14", 16),
    AddressPool("192.168.0.0/16", 20),
)


@dataclass(frozen=True)
class Settings:
    """Everything that the command line and the configuration file decide.

    data_root: what must survive a reboot (images, layers, volumes, state).
    run_root: what must not (sockets, pid files, mounts, network namespaces).
    hosts: listeners, ``unix://PATH``, ``tcp://ADDRESS:PORT`` or ``fd://``.
    tls: TLS on TCP; None when nobody said so, and then plain TCP is for the loopback only.
    tls_verify: TLS, and clients need a certificate signed by ``tls_ca``.
    group: group that owns unix sockets; the name or number, empty for root's.
    runtime: OCI runtime of containers that name none: one of ``runtimes`` or ``runc``, or else an
        executable. runtimes: further ones, name and executable.
    conmon: executable; as all of them, looked up in PATH when not absolute.
    userns_remap: whose subordinate IDs containers have: a user, ``user:group``, numbers, or
        ``default`` for the user ``davit``; empty for the host's IDs.
    default_cgroupns_mode: ``private`` or ``host`` for containers that do not say; empty for what
        Docker does: ``private`` on cgroup v2, ``host`` on v1.
    log_driver, log_opts: of containers that name no driver; the options also of those that name
        this one.
    gc_grace: seconds that layers of no image are kept, those of pulls that failed.
    max_layer_size: bytes to which a layer may unpack.
    bridge: interface name of the default network; ``none`` for no default network;
        empty for a name derived from the instance.
    icc: whether containers on the default network reach each other's ports; without, only those
        that they link to.
    ip_masq: whether what leaves the default network gets an address of the host's.
    ip: host address of ports that containers of the default network publish without one.
    ipv6: whether the default network has IPv6.
    bip, bip6: address and prefix of the default bridge, ``172.17.0.1/16``; empty to choose a free
        one. fixed_cidr, fixed_cidr_v6: the part of this subnet that containers get; without a
        bip it is the subnet. default_gateway, default_gateway_v6: router of the containers on the
        default network, when it is not the bridge.
    """

    data_root: Path = DEFAULT_DATA_ROOT
    run_root: Path = DEFAULT_RUN_ROOT
    hosts: tuple[str, ...] = (DEFAULT_HOST,)
    tls: bool | None = None
    tls_verify: bool | None = None
    tls_ca: Path = DEFAULT_TLS / "ca.pem"
    tls_certificate: Path = DEFAULT_TLS / "cert.pem"
    tls_key: Path = DEFAULT_TLS / "key.pem"
    group: str = ""
    pidfile: Path | None = None
    runtime: str = "runc"
    runtimes: tuple[tuple[str, str], ...] = ()
    conmon: str = "conmon"
    init_path: str = ""
    userns_remap: str = ""
    default_cgroupns_mode: str = ""
    bridge: str = ""
    icc: bool = True
    ip_masq: bool = True
    ip: str = "0.0.0.0"
    bip: str = ""
    fixed_cidr: str = ""
    default_gateway: str = ""
    ipv6: bool = False
    bip6: str = ""
    fixed_cidr_v6: str = ""
    default_gateway_v6: str = ""
    mtu: int = 1500
    default_address_pools: tuple[AddressPool, ...] = DEFAULT_ADDRESS_POOLS
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    log_driver: str = "json-file"
    log_opts: tuple[tuple[str, str], ...] = ()
    log_level: str = "info"
    gc_grace: int = DEFAULT_GC_GRACE
    max_layer_size: int = DEFAULT_MAX_LAYER_SIZE
    default_shm_size: int = 64 << 20
    shutdown_timeout: int = 15
    default_ulimits: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def logging_level(self) -> int:
        """The level's number in the module ``logging``."""
        return {"warn": logging.WARNING, "fatal": logging.CRITICAL}.get(
            self.log_level, getattr(logging, self.log_level.upper(), logging.INFO)
        )

    @property
    def uses_tls(self) -> bool:
        return bool(self.tls or self.tls_verify)

    @property
    def allows_plain_tcp(self) -> bool:
        """Whether TLS was declined in so many words, as dockerd wants to hear it."""
        return not self.uses_tls and False in (self.tls, self.tls_verify)

    @property
    def default_runtime(self) -> str:
        """Name of the runtime that containers get that name none."""
        return self.runtime if self.runtime in dict(self.runtimes) else Path(self.runtime).name

    @property
    def runtime_programs(self) -> dict[str, str]:
        """The executable of each name that containers may give for their runtime."""
        programs = {"runc": "runc", **dict(self.runtimes)}
        programs.setdefault(self.default_runtime, self.runtime)
        if self.default_runtime == "runc":
            programs["runc"] = self.runtime
        # What clients of containerd call it.
        return {**programs, "io.containerd.runc.v2": programs["runc"]}

    @property
    def instance(self) -> str:
        """Eight hex digits that tell this daemon from others on the same kernel.

        Kernel objects with global names (bridges, nft tables, cgroups) carry it. It is derived from
        the data root, so that it is the same after a restart.
        """
        return hashlib.sha256(str(self.data_root).encode()).hexdigest()[:8]

    @property
    def is_default_instance(self) -> bool:
        return self.data_root == DEFAULT_DATA_ROOT

    @property
    def default_bridge(self) -> str:
        """Interface name of the default network's bridge (at most 15 characters, IFNAMSIZ)."""
        if self.bridge:
            return self.bridge
        return "davit0" if self.is_default_instance else f"davit-{self.instance}"


LIVE = frozenset(
    {
        "insecure_registries",
        "labels",
        "log_driver",
        "log_level",
        "log_opts",
        "registry_mirrors",
        "shutdown_timeout",
    }
)
"""Settings that change without a restart. The TLS files are read again, too."""


def reloaded(now: Settings, wanted: Settings) -> tuple[Settings, list[str], list[str]]:
    """Return the settings after a reload: what has changed, and what needs a restart to change.

    The names are those of :class:`Settings`' fields.
    """
    differ = [
        entry.name
        for entry in fields(Settings)
        if getattr(now, entry.name) != getattr(wanted, entry.name)
    ]
    changed = [name for name in differ if name in LIVE]
    after = replace(now, **{name: getattr(wanted, name) for name in changed})
    return after, changed, [name for name in differ if name not in LIVE]
