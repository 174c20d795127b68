"""What a start needs on the host beside the mounted layers: generated files and the bundle."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from davit.config import Settings
from davit.errors import Conflict, InvalidParameter, SystemFailure
from davit.model import codec
from davit.model.container import Container
from davit.model.idmap import Remap
from davit.model.network import NAMESPACE_ONLY, JoinRequest, Sandbox
from davit.services.containers import binds, ports
from davit.services.containers.context import Context
from davit.services.containers.files import Files
from davit.services.networks.hosts import HOST_GATEWAY, split_extra_host
from davit.spec import build
from davit.spec.facts import SpecFacts
from davit.store.paths import Paths
from davit.sys import devices, mount, mountinfo, realtime, users
from davit.sys.host import CGROUP_ROOT

_INITS = ("docker-init", "tini-static", "catatonit")
_HOSTS = Path("/etc/hosts")
_RESOLV_CONF = Path("/etc/resolv.conf")
_OWN_SHM = "shareable"
_REALTIME_PERIOD = 10**6  # the kernel's, in µs


def find_init(settings: Settings) -> str:
    """Return the host's init for containers, empty when there is none. Blocking."""
    if settings.init_path:
        return settings.init_path
    return next((path for path in map(shutil.which, _INITS) if path), "")


def donor(ctx: Context, mode: str) -> Container | None:
    """Return the container that a ``container:ID`` mode names; it must run.

    Raises NotFound, Conflict.
    """
    kind, _, reference = mode.partition(":")
    if kind != "container":
        return None
    container = ctx.store.get(reference)
    if not container.state.status.is_running:
        raise Conflict(
            f"cannot join namespace of a non running container: {container.name}: start it first"
        )
    return container


def join_request(ctx: Context, container: Container) -> JoinRequest:
    """What the container wants of the network."""
    config, host = container.config, container.host_config
    return JoinRequest(
        container_id=container.id,
        name=container.name,
        hostname=config.hostname,
        endpoints={
            ctx.networks.resolve(name).id: wish
            for name, wish in container.networks.items()
            if name not in NAMESPACE_ONLY
        },
        bindings=ports.bindings(
            host.port_bindings, config.exposed_ports, publish_all=host.publish_all_ports
        ),
        resolvers=host.dns,
        search=host.dns_search,
        options=host.dns_options,
        extra_hosts=host.extra_hosts,
        sysctls={key: value for key, value in host.sysctls.items() if key.startswith("net.")},
        reaches=reaches(ctx, container),
    )


def reaches(ctx: Context, container: Container) -> dict[str, list[str]]:
    """Containers that a container links to, with the ports that they expose."""
    return {
        child.id: ports.expand(child.config.exposed_ports)
        for child_id in container.links.values()
        if (child := ctx.store.find(child_id)) is not None
    }


async def resolv_conf(ctx: Context, container: Container, request: JoinRequest) -> str:
    """Text of ``/etc/resolv.conf``; on the host's network the host's own, loopback servers too."""
    asks = request.resolvers or request.search or request.options
    if container.host_config.network_mode == "host" and not asks:
        return await asyncio.to_thread(_read, _RESOLV_CONF)
    return await ctx.networks.resolv_conf(request)


async def hosts(
    ctx: Context,
    container: Container,
    request: JoinRequest,
    sandbox: Sandbox | None,
    links: Sequence[str] = (),
) -> str:
    """Text of ``/etc/hosts``. links: lines for the containers that this one links to."""
    if container.host_config.network_mode == "host":
        own = await asyncio.to_thread(_read, _HOSTS)
        for name, address in map(split_extra_host, request.extra_hosts):
            own += f"{'127.0.0.1' if address == HOST_GATEWAY else address}\t{name}\n"
        return own
    return ctx.networks.hosts(request, sandbox, container.config.domainname, links)


def write_bundle(
    ctx: Context,
    container: Container,
    *,
    netns: str | None,
    donors: Mapping[str, Container],
    files: Files,
    link_env: list[str],
    remap: Remap | None,
    sources: Mapping[str, str],
) -> None:
    """Write ``config.json`` next to the mounted root. Blocking.

    donors: ``ipc`` and ``pid`` → the container whose namespace is joined.
    link_env: variables about the containers that this one links to.
    remap: the user namespace, None for the host's. sources: see SpecFacts.
    Raises InvalidParameter (user, device, …), SystemFailure (a bind's propagation).
    """
    for point in container.mounts:
        binds.check_source(point)
    settled = binds.settle(container.mounts, mountinfo.holding)
    container = msgspec.structs.replace(container, mounts=settled)
    host = container.host_config
    asked = [device.path_on_host for device in host.devices]
    asked += [device.path for device in host.blkio_weight_device]
    for throttled in (
        host.blkio_device_read_bps,
        host.blkio_device_write_bps,
        host.blkio_device_read_i_ops,
        host.blkio_device_write_i_ops,
    ):
        asked += [device.path for device in throttled]
    root = ctx.paths.rootfs(container.id)
    facts = SpecFacts(
        host=ctx.host,
        rootfs=str(root),
        cgroups_path=cgroups_path(ctx.settings, container),
        user=users.resolve(root, container.config.user, host.group_add),
        netns=netns,
        ipc_path=_namespace(donors, "ipc"),
        pid_path=_namespace(donors, "pid"),
        shm=shm_path(ctx.paths, container),
        hosts=str(files.hosts),
        hostname=str(files.hostname),
        resolv_conf=str(files.resolv_conf),
        host_devices=devices.all_nodes() if host.privileged else [],
        devices={path: devices.nodes(path) for path in asked},
        init=ctx.init,
        link_env=link_env,
        remap=remap,
        sources=dict(sources),
        default_ulimits=ctx.settings.default_ulimits,
    )
    spec = build.build(container, facts)
    (ctx.paths.bundle(container.id) / "config.json").write_bytes(codec.encode(spec))


def grant_realtime(ctx: Context, container: Container) -> None:
    """Give the cgroups above the container's what it asks of the real-time scheduler. Blocking.

    Raises InvalidParameter when others have it.
    """
    host = container.host_config
    period = host.cpu_realtime_period or _REALTIME_PERIOD
    group = cgroups_path(ctx.settings, container)
    try:
        realtime.grant(CGROUP_ROOT / "cpu", group, runtime=host.cpu_realtime_runtime, period=period)
    except OSError as error:
        raise InvalidParameter(
            f"HostConfig.CpuRealtimeRuntime: this host has no {host.cpu_realtime_runtime} of "
            f"{period} µs left for {group}: {error.strerror}"
        ) from None


def cgroups_path(settings: Settings, container: Container) -> str:
    """A container's cgroup, below every hierarchy's root."""
    parent = container.host_config.cgroup_parent.strip("/") or f"davit-{settings.instance}"
    return f"/{parent}/{container.id}"


def shm_path(paths: Paths, container: Container) -> str:
    """The host's directory for ``/dev/shm`` if it is shared, else empty."""
    mode = container.host_config.ipc_mode
    if mode == _OWN_SHM:
        return str(paths.bundle(container.id) / "shm")
    kind, _, reference = mode.partition(":")
    return str(paths.bundle(reference) / "shm") if kind == "container" else ""


def make_shm(paths: Paths, container: Container) -> None:
    """Mount the ``/dev/shm`` that others may share. Blocking."""
    if container.host_config.ipc_mode != _OWN_SHM:
        return
    target = Path(shm_path(paths, container))
    target.mkdir()
    flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
    try:
        mount.mount(
            "shm",
            target,
            "tmpfs",
            flags=flags,
            data=f"mode=1777,size={container.host_config.shm_size}",
        )
    except OSError as error:
        raise SystemFailure(f"cannot mount /dev/shm at {target}: {error.strerror}") from None


def drop_shm(paths: Paths, container_id: str) -> None:
    """Undo :func:`make_shm`. Idempotent. Blocking."""
    mount.unmount(paths.bundle(container_id) / "shm")


def _namespace(donors: Mapping[str, Container], kind: str) -> str:
    return f"/proc/{donors[kind].state.pid}/ns/{kind}" if kind in donors else ""


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def make_directories(paths: Paths, container_id: str) -> None:
    """Make the bundle and what the container keeps. Blocking."""
    for directory in (paths.bundle(container_id), paths.container(container_id)):
        os.makedirs(directory, mode=0o711, exist_ok=True)
