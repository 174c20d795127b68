"""Connect containers to networks and take them off, running or not."""

from __future__ import annotations

import asyncio

import msgspec

from davit.errors import Conflict, InvalidParameter, NotFound
from davit.model.container import Container, Status
from davit.model.network import EndpointSettings, Network
from davit.services.containers import endpoints, prepare
from davit.services.containers.context import Context


async def connect(
    ctx: Context, network_ref: str, container_ref: str, wish: EndpointSettings
) -> None:
    """Put a container on one more network; at once when it runs, else at its next start.

    Raises NotFound, Conflict, InvalidParameter.
    """
    network = ctx.networks.resolve(network_ref)
    container_id = ctx.store.get(container_ref).id
    wish = endpoints.wish_of(wish)
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        _check_connectable(container, network)
        ctx.networks.check(network, wish)
        if network.name in container.networks:
            raise Conflict(
                f"endpoint with name {container.name} already exists in network {network.name}"
            )
        if container.state.status.is_running:
            await ctx.networks.connect(container_id, network, wish)

        def edit(before: Container) -> Container:
            networks = {**before.networks, network.name: wish}
            return msgspec.structs.replace(before, networks=networks)

        after = await ctx.store.change(container_id, edit, durable=True)
        await _follow_names(ctx, container, after)
        announce(ctx, container, "connect", network)


async def disconnect(
    ctx: Context, network_ref: str, container_ref: str, *, force: bool = False
) -> None:
    """Take a container off a network. ``force``: a container that is gone is no error.

    Raises NotFound, Conflict, InvalidParameter.
    """
    network = ctx.networks.resolve(network_ref)
    try:
        container_id = ctx.store.get(container_ref).id
    except NotFound:
        if force:
            return
        raise
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.host_config.network_mode == "host":
            raise Conflict("container cannot be disconnected from host network")
        if network.name not in container.networks:
            raise Conflict(f"container {container_id} is not connected to network {network.name}")
        if container.state.status.is_running:
            await ctx.networks.disconnect(container_id, network)

        def edit(before: Container) -> Container:
            kept = {name: old for name, old in before.networks.items() if name != network.name}
            return msgspec.structs.replace(before, networks=kept)

        after = await ctx.store.change(container_id, edit, durable=True)
        await _follow_names(ctx, container, after)
        announce(ctx, container, "disconnect", network)


async def _follow_names(ctx: Context, before: Container, after: Container) -> None:
    """Let a running container ask davit's name server from its first user-defined network on.

    A ``resolv.conf`` that somebody edited is left alone.
    """
    if not before.state.status.is_running:
        return
    old = await prepare.resolv_conf(ctx, before, prepare.join_request(ctx, before))
    new = await prepare.resolv_conf(ctx, after, prepare.join_request(ctx, after))
    path = prepare.Files(ctx.paths, after).resolv_conf

    def rewrite() -> None:
        if path.read_text(encoding="utf-8") == old:
            path.write_text(new, encoding="utf-8")

    if old != new:
        await asyncio.to_thread(rewrite)


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
            "container cannot be connected to host network or from it: create it there"
        )
    if network.name == "none":
        raise InvalidParameter("container cannot be connected to network none: disconnect it")
