"""Change what a container is called and what it may use, running or not."""

from __future__ import annotations

import os

import msgspec

from davit.errors import Conflict, InvalidParameter, NotSupported
from davit.model.config import HostConfig
from davit.model.container import Container, Status, UpdateRequest
from davit.services.containers import links, policy, resources, validate
from davit.services.containers.context import Context
from davit.spec import resources as oci

# Rows of HostConfig that a running container can be given anew.
_LIVE = (
    "blkio_weight",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "nano_cpus",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_reservation",
    "memory_swap",
    "pids_limit",
)


async def rename(ctx: Context, reference: str, name: str) -> None:
    """Raises NotFound, InvalidParameter, Conflict when the name is in use."""
    name = name.removeprefix("/")
    if not name:
        raise InvalidParameter("Neither old nor new names may be empty")
    container_id = ctx.store.get(reference).id
    validate.check_name(name)
    async with ctx.locks(container_id):
        old = ctx.store.get(container_id)
        if name == old.name:
            raise InvalidParameter("Renaming a container with the same name as its current name")

        def edit(before: Container) -> Container:
            return msgspec.structs.replace(before, name=name)

        container = await ctx.store.change(container_id, edit, durable=True)
        if container.state.status.is_running:
            await ctx.networks.rename(container_id, name)
            await links.follow(ctx, container)
        ctx.announce(container, "rename", oldName=f"/{old.name}")


async def update(ctx: Context, reference: str, request: UpdateRequest) -> list[str]:
    """Set limits and the restart policy; return warnings.

    Raises NotFound, InvalidParameter, NotSupported, Conflict.
    """
    container_id = ctx.store.get(reference).id
    async with ctx.locks(container_id):
        container = ctx.store.get(container_id)
        if container.state.status in (Status.REMOVING, Status.DEAD):
            raise Conflict(
                f"Cannot update container {container_id}: Container is marked for removal and "
                'cannot be "update".'
            )
        host = merge(container.host_config, request)
        check(container.host_config, request)
        if request.restart_policy is not None:
            policy.check(host.restart_policy, auto_remove=host.auto_remove)
        warnings = resources.check(
            host, cpus=os.cpu_count() or 1, memory_nodes=ctx.host.memory_nodes
        )
        if request.kernel_memory:
            warnings.append(resources.NO_KERNEL_MEMORY)
        changed = any(getattr(host, name) != getattr(container.host_config, name) for name in _LIVE)
        if changed and container.state.status.is_running:
            limits = oci.limits(host, swap_accounting=ctx.host.swap_accounting)
            await ctx.monitors.update(container_id, limits)

        def edit(before: Container) -> Container:
            return msgspec.structs.replace(before, host_config=host)

        container = await ctx.store.change(container_id, edit, durable=True)
        ctx.announce(container, "update")
        return warnings


def check(host: HostConfig, request: UpdateRequest) -> None:
    """Raise for what cannot follow on what is set. Pure. Raises Conflict."""
    memory, limit = request.memory or 0, host.memory_swap
    # -1 is no limit; a limit that was not given follows the memory.
    if not request.memory_swap and 0 < limit < memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the "
            "memoryswap at the same time"
        )
    restart = request.restart_policy
    if host.auto_remove and restart is not None and restart.name not in ("", "no"):
        raise Conflict(
            "Restart policy cannot be updated because AutoRemove is enabled for the container"
        )


def merge(host: HostConfig, request: UpdateRequest) -> HostConfig:
    """Return ``host`` with what the request names. Pure. Raises NotSupported."""
    for name in ("cpu_realtime_period", "cpu_realtime_runtime"):
        if getattr(request, name):
            raise NotSupported(f"update of {name} is not supported by davit: leave it out")
    # Clients send all fields, and zero for those that stay; of the PIDs alone it is a limit.
    values = {name: value for name in _LIVE if (value := getattr(request, name))}
    if request.pids_limit is not None:
        values["pids_limit"] = request.pids_limit
    # Docker's own rule: a CPU limit of one kind replaces that of the other.
    if values.get("nano_cpus"):
        values.update(cpu_period=0, cpu_quota=0)
    elif values.get("cpu_period") or values.get("cpu_quota"):
        values["nano_cpus"] = 0
    restart = request.restart_policy
    if restart is not None and restart.name:
        values["restart_policy"] = restart
    return msgspec.structs.replace(host, **values)
