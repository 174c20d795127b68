"""Find, list and inspect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping

import msgspec

from davit.drivers.volume.usage import disk_usage
from davit.errors import InvalidParameter, NotFound
from davit.model.container import Container, Details, Status
from davit.model.filters import Filters
from davit.services.containers import links, ports
from davit.services.containers.context import Context


async def inspect(ctx: Context, reference: str, *, size: bool = False) -> Details:
    """Everything about one container. size: measure its files. Raises NotFound."""
    container = ctx.store.get(reference)
    paths = ctx.paths
    return msgspec.structs.replace(
        await _details(ctx, container, links.names(ctx), {}, size=size),
        directory=str(paths.container(container.id)),
        root_fs=str(paths.rootfs(container.id)),
        layers=_layer_directories(ctx, container),
    )


async def select(
    ctx: Context, filters: Filters, *, every: bool = False, limit: int = 0, size: bool = False
) -> list[Details]:
    """Containers that pass :data:`davit.model.container.LIST_FILTERS`, newest first.

    every: also those that do not run; a status, exit code or limit asks for these, too. The paths
    on the host are left out. Raises InvalidParameter.
    """
    every = every or limit > 0 or "status" in filters or "exited" in filters
    tests = _tests(ctx, filters)
    found = [
        container
        for container in sorted(ctx.store.all(), key=lambda row: row.created, reverse=True)
        if (every or container.state.status.is_running or _restarts(container))
        and all(test(container) for test in tests)
    ]
    if limit > 0:
        found = found[:limit]
    link_names = links.names(ctx)
    images: dict[str, str] = {}
    return [await _details(ctx, row, link_names, images, size=size) for row in found]


async def _details(
    ctx: Context,
    container: Container,
    link_names: Mapping[str, list[str]],
    images: dict[str, str],
    *,
    size: bool,
) -> Details:
    """images: the IDs that names of images have turned out to be so far."""
    image = container.config.image
    if image not in images:
        images[image] = _image_id(ctx, image)
    size_rw = size_root = None
    if size:
        size_rw = await asyncio.to_thread(disk_usage, ctx.paths.upper(container.id))
        size_root = size_rw + _image_size(ctx, container)
    ids = {}
    for name in container.networks:
        try:
            ids[name] = ctx.networks.resolve(name).id
        except NotFound:
            ids[name] = ""
    return Details(
        container=container,
        sandbox=ctx.networks.sandbox(container.id),
        network_ids=ids,
        image_tagged=images[image] == container.image_id,
        health=ctx.health.get(container.id),
        exec_ids=ctx.exec_ids(container.id),
        links=links.shown(ctx, container),
        link_names=link_names.get(container.id, []),
        size_rw=size_rw,
        size_root_fs=size_root,
    )


def _image_id(ctx: Context, name: str) -> str:
    try:
        return ctx.images.resolve(name).id
    except (NotFound, InvalidParameter):
        return ""


def _layer_directories(ctx: Context, container: Container) -> list[str]:
    try:
        return [str(path) for path in ctx.images.directories(container.layers)]
    except NotFound:
        return []


def _image_size(ctx: Context, container: Container) -> int:
    try:
        return ctx.images.resolve(container.image_id).size
    except NotFound:
        return 0


Test = Callable[[Container], bool]


def _tests(ctx: Context, filters: Filters) -> list[Test]:
    """One predicate for each filter that is set. Raises InvalidParameter."""
    makers: dict[str, Callable[[Context, list[str]], Test]] = {
        "ancestor": _ancestor,
        "before": _before,
        "since": _since,
        "exited": _exited,
        "expose": _expose,
        "publish": _publish,
        "id": _id,
        "name": _name,
        "network": _network,
        "status": _status,
        "health": _health,
        "volume": _volume,
    }
    tests = [make(ctx, filters.get(name)) for name, make in makers.items() if name in filters]
    tests.append(lambda container: filters.accepts_labels(container.config.labels))
    if filters.flag("is-task"):
        tests.append(lambda container: "com.docker.swarm.task.id" in container.config.labels)
    return tests


def _ancestor(ctx: Context, references: list[str]) -> Test:
    found = set()
    for reference in references:
        try:
            found.add(ctx.images.resolve(reference).id)
        except (NotFound, InvalidParameter):
            continue
    return lambda container: (
        container.image_id in found or any(ref == container.config.image for ref in references)
    )


def _before(ctx: Context, references: list[str]) -> Test:
    moments = [ctx.store.get(reference).created for reference in references]
    return lambda container: container.created < min(moments)


def _since(ctx: Context, references: list[str]) -> Test:
    moments = [ctx.store.get(reference).created for reference in references]
    return lambda container: container.created > max(moments)


def _exited(_: Context, values: list[str]) -> Test:
    try:
        codes = {int(value) for value in values}
    except ValueError:
        raise InvalidParameter(f"invalid filter 'exited={values[0]}': a number is needed") from None
    return lambda container: (
        container.state.exit_code in codes
        and container.state.finished_at > 0
        and not container.state.status.is_running
    )


def _expose(_: Context, values: list[str]) -> Test:
    wanted = set(ports.expand(values))
    return lambda container: bool(wanted & set(ports.expand(container.config.exposed_ports)))


def _publish(_: Context, values: list[str]) -> Test:
    wanted = set(ports.expand(values))

    def test(container: Container) -> bool:
        host = container.host_config
        exposed = container.config.exposed_ports
        published = ports.bindings(host.port_bindings, exposed, publish_all=host.publish_all_ports)
        return bool(wanted & set(published))

    return test


def _id(_: Context, values: list[str]) -> Test:
    return lambda container: any(container.id.startswith(value) for value in values)


def _name(_: Context, values: list[str]) -> Test:
    try:
        patterns = [re.compile(value) for value in values]
    except re.error as error:
        raise InvalidParameter(f"invalid filter 'name={values[0]}': {error}") from None
    return lambda container: any(
        pattern.search(f"/{container.name}") or pattern.search(container.name)
        for pattern in patterns
    )


def _network(ctx: Context, values: list[str]) -> Test:
    names = set()
    for value in values:
        try:
            names.add(ctx.networks.resolve(value).name)
        except NotFound:
            continue
    return lambda container: bool(names & set(container.networks))


def _status(_: Context, values: list[str]) -> Test:
    known = [status.value for status in Status]
    for value in values:
        if value not in known:
            raise InvalidParameter(f"invalid filter 'status={value}': use {', '.join(known)}")
    return lambda container: container.state.status.value in values


def _health(ctx: Context, values: list[str]) -> Test:
    for value in values:
        if value not in ("starting", "healthy", "unhealthy", "none"):
            raise InvalidParameter(
                f"invalid filter 'health={value}': use starting, healthy, unhealthy or none"
            )

    def test(container: Container) -> bool:
        health = ctx.health.get(container.id)
        return (health.status if health else "none") in values

    return test


def _volume(_: Context, values: list[str]) -> Test:
    return lambda container: any(
        value in (point.name, point.source, point.destination)
        for point in container.mounts
        for value in values
    )


def _restarts(container: Container) -> bool:
    return container.state.status is Status.RESTARTING
