"""Connect containers to networks and take them off, running or not."""

from __future__ import annotations

import asyncio

import msgspec

from davit.errors import Conflict, InvalidParameter, NotFound
from davit.model.container import Container, Status
from davit.model.network import (
    NAMESPACE_ONLY,
    EndpointSettings,
    Network,
    Sandbox,
    namespace_endpoint_id,
)
from davit.services.containers import endpoints, prepare
from davit.services.containers.context import Context
from davit.services.containers.files import Files
from davit.services.networks import hosts


async def connect(
    ctx: Context, network_ref: str, container_ref: str, wish: EndpointSettings
) -> None:
    """Put a container on one more network; at once when it runs, else at its next start.

    Raises NotFound, Conflict, InvalidParameter; Forbidden when it runs there already (one that does
    not run stays as it is, as in Docker).
    """
    network = ctx.networks.resolve(network_ref)
    container_id = ctx.store.get(container_ref).id
    wish = endpoints.wish_of(wish)
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        _check_connectable(container, network)
        ctx.networks.check(network, wish)
        is_running = container.state.status.is_running
        if network.name in container.networks and not is_running:
            return
        before = ctx.networks.sandbox(container_id)
        if is_running:
            await ctx.networks.connect(container_id, network, wish)

        def edit(row: Container) -> Container:
            networks = {**row.networks, network.name: wish}
            return msgspec.structs.replace(row, networks=networks)

        after = await ctx.store.change(container_id, edit, durable=True)
        if is_running:
            await _follow(ctx, after, before)
            announce(ctx, container, "connect", network)


async def disconnect(
    ctx: Context, network_ref: str, container_ref: str, *, force: bool = False
) -> None:
    """Take a container off a network. ``force``: what is gone (either of them) is no error.

    Raises NotFound, Conflict, InvalidParameter.
    """
    try:
        network: Network | None = ctx.networks.resolve(network_ref)
    except NotFound:
        if not force:
            raise
        network = None
    name = network.name if network is not None else network_ref
    try:
        container_id = ctx.store.get(container_ref).id
    except NotFound:
        if force:
            return
        raise
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.host_config.network_mode == "host":
            raise InvalidParameter(
                "container cannot be disconnected from host network or connected to host network: "
                "create it on another one"
            )
        if name not in container.networks:
            raise Conflict(f"container {container_id} is not connected to network {name}")
        is_running = container.state.status.is_running
        before = ctx.networks.sandbox(container_id)
        if is_running and network is not None:
            await ctx.networks.disconnect(container_id, network)

        def edit(row: Container) -> Container:
            kept = {key: wish for key, wish in row.networks.items() if key != name}
            return msgspec.structs.replace(row, networks=kept)

        after = await ctx.store.change(container_id, edit, durable=True)
        if is_running:
            await _follow(ctx, after, before)
        if network is not None:
            announce(ctx, container, "disconnect", network)


def members(ctx: Context, network: Network) -> list[Sandbox]:
    """The running containers on ``host`` or ``none``: what other networks know of theirs."""
    return [
        Sandbox(
            container_id=container.id,
            name=container.name,
            hostname=container.config.hostname,
            netns="",
            endpoints={
                network.name: EndpointSettings(
                    network_id=network.id,
                    endpoint_id=namespace_endpoint_id(container.id, network.name),
                )
            },
        )
        for container in ctx.store.all()
        if network.name in container.networks
        and network.name in NAMESPACE_ONLY
        and container.state.status.is_running
    ]


async def _follow(ctx: Context, container: Container, before: Sandbox | None) -> None:
    """Bring a running container's ``hosts`` and ``resolv.conf`` in line with its networks."""
    after = ctx.networks.sandbox(container.id)
    config, files = container.config, Files(ctx.paths, container)
    lost, gained = (
        hosts.own_lines(addresses, config.hostname, config.domainname)
        for addresses in (_addresses(before, without=after), _addresses(after, without=before))
    )
    resolv_conf = await prepare.resolv_conf(ctx, container, prepare.join_request(ctx, container))

    def edit() -> None:
        files.edit_hosts(lambda text: hosts.added(hosts.dropped(text, lost), gained))
        files.replace_resolv_conf(resolv_conf)

    await asyncio.to_thread(edit)


def _addresses(sandbox: Sandbox | None, *, without: Sandbox | None) -> list[str]:
    known = without.endpoints.values() if without is not None else ()
    gone = {address for endpoint in known for address in endpoint.addresses}
    held = sandbox.endpoints.values() if sandbox is not None else ()
    return [address for endpoint in held for address in endpoint.addresses if address not in gone]


def announce(ctx: Context, container: Container, action: str, network: Network) -> None:
    """Publish that a network gained or lost a container."""
    ctx.events.publish(
        "network",
        action,
        network.id,
        {"container": container.id, "name": network.name, "type": network.driver},
    )


def _check_connectable(container: Container, network: Network) -> None:
    mode = container.host_config.network_mode
    if container.state.status in (Status.REMOVING, Status.DEAD):
        raise Conflict(f"Container {container.id} is marked for removal and cannot be connected")
    if mode.startswith("container:"):
        raise InvalidParameter(
            f"container {container.name} is in the network of another one and cannot be connected: "
            "connect that one"
        )
    if mode == "host" or network.name == "host":
        raise InvalidParameter(
            "container cannot be disconnected from host network or connected to host network: "
            "create it there"
        )
    if "none" in (network.name, *container.networks):
        raise InvalidParameter(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode: disconnect it from none first"
        )
