"""Create: a request becomes a container that can be started; nothing runs yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack

import msgspec

from davit.errors import InvalidParameter, NotFound
from davit.model import ids, log_options, platform, times
from davit.model.config import ContainerConfig, HostConfig, LogConfig
from davit.model.container import Container, Created, CreateRequest
from davit.model.image import Image
from davit.model.platform import Platform
from davit.model.volume import MountPoint
from davit.services.containers import (
    binds,
    endpoints,
    fill,
    links,
    merge,
    mounts,
    remapping,
    resources,
    validate,
)
from davit.services.containers.context import Context
from davit.services.containers.mounts import MountWish
from davit.spec import build


async def create(
    ctx: Context,
    name: str,
    request: CreateRequest,
    wanted_platform: str = "",
    *,
    deep_read_only: bool = True,
) -> Created:
    """Create a container and return its ID and warnings; an empty name gets a random one.

    Raises NotFound (only the image: clients pull it then), InvalidParameter (also for a network or
    container that the options name and that is not there), NotSupported, Conflict (name).
    A refused request leaves nothing behind. deep_read_only: see :func:`mounts.plan`.
    """
    if not request.image:
        raise InvalidParameter("Config.Image is empty: name the image to create a container from")
    name = name.removeprefix("/")
    if name:
        validate.check_name(name)
        ctx.store.check_name(name)
    image = ctx.images.resolve(request.image)
    warnings = _check_platform(image, request.image, wanted_platform)
    container_id = ids.new_id()
    asked = ContainerConfig(
        **{field: getattr(request, field) for field in ContainerConfig.__struct_fields__}
    )
    config = merge.merge(asked, image.config.config)
    with _named_by_options():
        host = _with_defaults(ctx, request.host_config)
    host, discarded = resources.discard(host, ctx.host)
    machine = validate.Host(
        cpus=os.cpu_count() or 1,
        memory_nodes=ctx.host.memory_nodes,
        realtime=ctx.host.realtime,
        runtimes=tuple(ctx.settings.runtime_programs),
    )
    warnings += [*discarded, *validate.check(config, host, machine)]
    remapping.check(host, ctx.remap)
    with _named_by_options():
        wishes = mounts.plan(config, host, ctx.store.get, deep_read_only=deep_read_only)
        wishes = [binds.own(wish, ctx.paths.mounting) for wish in wishes]
        networks = endpoints.plan(
            config,
            host,
            request.networking_config.endpoints_config,
            ctx.networks.resolve,
        )
        linked = links.plan(host, _network_name(ctx, host.network_mode), ctx.store.get)
        for network, wish in networks.items():
            ctx.networks.check(ctx.networks.resolve(network), wish)
    hostname = _hostname(ctx, config, host, container_id)
    words = merge.command(config)
    container = Container(
        id=container_id,
        name=name,
        created=times.now(),
        image_id=image.id,
        config=msgspec.structs.replace(config, hostname=hostname),
        host_config=host,
        path=words[0],
        args=words[1:],
        layers=image.layers,
        networks=networks,
        links=linked,
    )
    build.check(container, ctx.host)
    async with AsyncExitStack() as undo:
        with ExitStack() as held:
            points = [await _resolve_mount(ctx, wish, undo, held) for wish in wishes]
            points = _with_images(ctx, container_id, points)
            container = msgspec.structs.replace(container, mounts=points)
            filled = [point for point, wish in zip(points, wishes, strict=True) if wish.copy]
            await fill.fill_volumes(ctx, container, filled)
            # Chosen at the last moment, for many may be created at once.
            container = msgspec.structs.replace(container, name=name or _free_name(ctx))
            await ctx.store.add(container)
            undo.push_async_callback(ctx.store.remove, container_id)
            # From here on the row holds the layers; the image may have been removed until now.
            for image_id in container.images:
                ctx.images.resolve(image_id)
        undo.pop_all()
    ctx.announce(container, "create")
    return Created(id=container_id, warnings=warnings)


@contextlib.contextmanager
def _named_by_options() -> Iterator[None]:
    """Refuse as invalid what names something that is not there."""
    try:
        yield
    except NotFound as error:
        raise InvalidParameter(error.message) from None


def _check_platform(image: Image, reference: str, asked: str) -> list[str]:
    """Return warnings. asked: ``os[/architecture[/variant]]``, empty for whatever there is.

    Raises NotFound for another one: the client pulls the image for the platform then.
    """
    config = image.config
    here = platform.host()
    has = Platform(
        os=config.os or here.os,
        architecture=config.architecture or here.architecture,
        variant=config.variant,
    )
    if asked:
        wanted = platform.parse(asked)
        if not wanted.accepts(has):
            raise NotFound(
                f"image with reference {reference} was found but its platform ({has}) does not "
                f"match the specified platform ({wanted})"
            )
        return []
    if here.accepts(has):
        return []
    return [
        f"The requested image's platform ({has}) does not match the detected host platform "
        f"({here}) and no specific platform was requested"
    ]


def _cgroupns_mode(ctx: Context, *, privileged: bool) -> str:
    """On cgroup v1 the host's, as with Docker: there, old programs look for their own path."""
    if ctx.host.cgroup_version == 2:
        return ctx.settings.default_cgroupns_mode or "private"
    return "host" if privileged else ctx.settings.default_cgroupns_mode or "host"


def _with_defaults(ctx: Context, asked: HostConfig) -> HostConfig:
    """Fill in what the API shows for an option that was not given; name containers by their ID."""
    policy, log = asked.restart_policy, asked.log_config
    return msgspec.structs.replace(
        asked,
        network_mode=_by_id(ctx, endpoints.mode_of(asked)),
        ipc_mode=_ipc_mode(ctx, asked.ipc_mode or "private"),
        pid_mode=_by_id(ctx, asked.pid_mode),
        cgroupns_mode=asked.cgroupns_mode or _cgroupns_mode(ctx, privileged=asked.privileged),
        restart_policy=msgspec.structs.replace(policy, name=policy.name or "no"),
        log_config=log_options.complete(
            log, LogConfig(type=ctx.settings.log_driver, config=dict(ctx.settings.log_opts))
        ),
        shm_size=asked.shm_size or ctx.settings.default_shm_size,
        runtime=asked.runtime or ctx.settings.default_runtime,
    )


def _ipc_mode(ctx: Context, mode: str) -> str:
    mode = _by_id(ctx, mode)
    if mode.startswith("container:"):
        donor = ctx.store.get(mode.partition(":")[2])
        if donor.host_config.ipc_mode != "shareable":
            raise InvalidParameter(
                f"can't join IPC of container {donor.id}: non-shareable IPC (hint: use "
                "IpcMode:shareable for the donor container)"
            )
    return mode


def _by_id(ctx: Context, mode: str) -> str:
    kind, separator, reference = mode.partition(":")
    if kind != "container" or not separator:
        return mode
    if not reference:
        raise InvalidParameter(f"invalid mode {mode!r}: name the container")
    return f"container:{ctx.store.get(reference).id}"


def _network_name(ctx: Context, mode: str) -> str:
    return mode if mode.startswith("container:") else ctx.networks.resolve(mode).name


def _hostname(ctx: Context, config: ContainerConfig, host: HostConfig, container_id: str) -> str:
    mode = host.network_mode
    if mode.startswith("container:"):
        return ctx.store.get(mode.partition(":")[2]).config.hostname
    if config.hostname:
        return config.hostname
    if mode == "host" or host.uts_mode == "host":
        return socket.gethostname()
    return ids.short(container_id)


def _free_name(ctx: Context) -> str:
    name = ids.random_name()
    while ctx.store.has_name(name):
        name = f"{ids.random_name()}_{secrets.randbelow(1000)}"
    return name


async def _resolve_mount(
    ctx: Context, wish: MountWish, undo: AsyncExitStack, held: ExitStack
) -> MountPoint:
    """Make sure that a mount's source exists and return the mount as it will be."""
    point = wish.point
    if point.type == "bind":
        await asyncio.to_thread(binds.check_source, point)
    elif point.type == "volume":
        is_new = not point.name or ctx.volumes.find(point.name) is None
        volume = await ctx.volumes.ensure(
            point.name, driver=wish.driver or "local", options=wish.options, labels=wish.labels
        )
        if is_new:
            undo.push_async_callback(ctx.volumes.remove, volume.name, force=True)
        held.enter_context(ctx.volumes.hold(volume.name))
        point = msgspec.structs.replace(
            point,
            name=volume.name,
            source=str(ctx.volumes.path(volume.name)),
            driver=volume.driver,
        )
    return point


def _with_images(ctx: Context, container_id: str, points: Sequence[MountPoint]) -> list[MountPoint]:
    """Say where images will be mounted, and of which layers. Raises InvalidParameter."""
    found: list[MountPoint] = []
    for number, point in enumerate(points):
        if point.type == "image":
            with _named_by_options():
                # What another container has mounted is taken over as that has it.
                image = ctx.images.resolve(point.image_id or point.name)
            point = msgspec.structs.replace(
                point,
                source=str(ctx.paths.image_mounts(container_id) / str(number)),
                image_id=image.id,
                layers=image.layers,
            )
        found.append(point)
    return found
