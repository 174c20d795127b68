"""Links (``HostConfig.Links``): what a container on the default network calls others there.

The default network has no names of its own. A link gives the linking container a line in its
``/etc/hosts`` and variables in its environment; on user-defined networks a link is an alias that
davit's name server tells the linking container alone (``EndpointSettings.Links``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import msgspec

from davit.errors import Conflict, InvalidParameter, NotFound, SystemFailure
from davit.model.config import HostConfig
from davit.model.container import Container, Status
from davit.model.network import DEFAULT_NETWORK, EndpointSettings
from davit.services.containers import ports, prepare
from davit.services.containers.context import Context
from davit.services.containers.files import Files
from davit.services.networks import hosts

_PATIENCE = 10.0
"""Seconds that a restart waits for the restart of what it links to."""


@dataclass(frozen=True)
class Linked:
    """A running container that another one links to; endpoint: its own on the default network."""

    alias: str
    parent: str
    container: Container
    endpoint: EndpointSettings


def parse(link: str) -> tuple[str, str]:
    """Return name and alias of ``name[:alias]``, or of what ``inspect`` shows of a link.

    Raises InvalidParameter.
    """
    name, separator, alias = link.partition(":")
    if not link:
        raise InvalidParameter("empty string specified for links")
    if not name or ":" in alias or (separator and not alias):
        raise InvalidParameter(f"bad format for links: {link}: use NAME or NAME:ALIAS")
    if name.startswith("/"):  # "/name:/parent/alias"
        return name[1:], alias.rpartition("/")[2] or name[1:]
    return name, alias or name


def plan(host: HostConfig, mode: str, get: Callable[[str], Container]) -> dict[str, str]:
    """Return alias → container ID. mode: the main network's name, or ``container:ID``.

    On a user-defined network there are none: its name server knows them.
    Raises InvalidParameter, NotFound.
    """
    if not host.links:
        return {}
    if mode == "host" or mode.startswith("container:"):
        kind = "host type networking" if mode == "host" else "container type network"
        raise InvalidParameter(
            f"conflicting options: {kind} can't be used with links. This would result in undefined "
            "behavior"
        )
    wanted: dict[str, str] = {}
    for link in host.links:
        name, alias = parse(link)
        if mode not in (DEFAULT_NETWORK, "none"):
            continue
        try:
            child = get(name)
            while child.host_config.network_mode.startswith("container:"):
                child = get(child.host_config.network_mode.partition(":")[2])
        except NotFound as error:
            raise NotFound(f"could not get container for {name}: {error.message}") from None
        if child.host_config.network_mode == "host":
            raise InvalidParameter(
                f"conflicting options: {name} is on the host's network: host type networking can't "
                "be used with links. This would result in undefined behavior"
            )
        wanted.setdefault(alias, child.id)
    return wanted


def shown(ctx: Context, container: Container) -> list[str]:
    """The links as ``inspect`` shows them; those to containers that are gone are left out."""
    return [
        f"/{child.name}:/{container.name}/{alias}"
        for alias, child_id in container.links.items()
        if (child := ctx.store.find(child_id)) is not None
    ]


def names(ctx: Context) -> dict[str, list[str]]:
    """Container ID → what those that link to it call it: ``/parent/alias``."""
    found: dict[str, list[str]] = {}
    for parent in ctx.store.all():
        for alias, child_id in parent.links.items():
            found.setdefault(child_id, []).append(f"/{parent.name}/{alias}")
    return found


def running(ctx: Context, container: Container) -> list[Linked]:
    """What a starting container links to. Raises SystemFailure when one of them cannot be reached.

    The Engine API knows no other status for it: a start that cannot be done is 500.
    """
    if DEFAULT_NETWORK not in container.networks:
        return []
    found = reachable(ctx, container)
    for alias, child_id in container.links.items():
        child = ctx.store.find(child_id)
        if child is None or any(linked.alias == alias for linked in found):
            continue
        if not child.state.status.is_running:
            raise SystemFailure(
                f"Cannot link to a non running container: /{child.name} AS "
                f"/{container.name}/{alias}: start {child.name} first"
            )
        raise SystemFailure(
            f"Cannot link to /{child.name}, as it does not belong to the default network"
        )
    return found


def reachable(ctx: Context, container: Container) -> list[Linked]:
    """What a container links to and that runs."""
    found = []
    for alias, child_id in container.links.items():
        child, sandbox = ctx.store.find(child_id), ctx.networks.sandbox(child_id)
        endpoint = sandbox.endpoints.get(DEFAULT_NETWORK) if sandbox is not None else None
        if child is not None and child.state.status.is_running and endpoint is not None:
            found.append(Linked(alias, container.name, child, endpoint))
    return found


def hosts_lines(linked: Linked) -> list[str]:
    """Lines for the linking container's ``/etc/hosts``. The alias comes first: it marks them.

    Links are of IPv4, which the default network always has: without ``icc`` they open nothing else.
    """
    container = linked.container
    called = dict.fromkeys((linked.alias, container.config.hostname, container.name))
    return [f"{linked.endpoint.ip_address}\t{' '.join(called)}"]


def environment(links: Iterable[Linked]) -> list[str]:
    """``ALIAS_…=value`` for the linking container's processes, as Docker documents it."""
    return [entry for linked in links for entry in _variables(linked)]


def _variables(linked: Linked) -> list[str]:
    prefix = linked.alias.upper().replace("-", "_")
    address, config = linked.endpoint.ip_address, linked.container.config
    exposed = sorted(
        ((protocol, int(number)) for number, _, protocol in _split(config.exposed_ports)),
        key=lambda port: (port[0] != "tcp", port),
    )
    entries = []
    for protocol, number in exposed[:1]:
        entries.append(f"{prefix}_PORT={protocol}://{address}:{number}")
    for (first, last), protocol in _ranges(exposed):
        start = f"{prefix}_PORT_{first}_{protocol.upper()}"
        end = f"{prefix}_PORT_{last}_{protocol.upper()}"
        entries += [
            f"{start}_START={protocol}://{address}:{first}",
            f"{start}_PORT_START={first}",
            f"{end}_END={protocol}://{address}:{last}",
            f"{end}_PORT_END={last}",
        ]
    for protocol, number in exposed:
        port = f"{prefix}_PORT_{number}_{protocol.upper()}"
        entries += [
            f"{port}={protocol}://{address}:{number}",
            f"{port}_ADDR={address}",
            f"{port}_PORT={number}",
            f"{port}_PROTO={protocol}",
        ]
    entries.append(f"{prefix}_NAME=/{linked.parent}/{linked.alias}")
    for entry in config.env:
        name, separator, value = entry.partition("=")
        if separator and name not in ("HOME", "PATH"):
            entries.append(f"{prefix}_ENV_{name}={value}")
    return entries


def _split(exposed: Iterable[str]) -> list[tuple[str, str, str]]:
    return [port.partition("/") for port in ports.expand(exposed)]


def _ranges(exposed: list[tuple[str, int]]) -> list[tuple[tuple[int, int], str]]:
    """Three and more ports in a row are told as a range, too."""
    found = []
    # Ports in a row have the same distance to their place.
    places = groupby(enumerate(exposed), key=lambda item: (item[1][0], item[1][1] - item[0]))
    for (protocol, _), group in places:
        numbers = [number for _, (_, number) in group]
        if len(numbers) > 2:
            found.append(((numbers[0], numbers[-1]), protocol))
    return found


async def settle(ctx: Context, container: Container) -> None:
    """Wait for those that a container links to and that the restart policy is about to start.

    After a reboot all come at once. One that takes longer is not waited for: the start fails then.
    """
    waits = [
        asyncio.create_task(ctx.runs[child_id].followed.wait())
        for child_id in container.links.values()
        if child_id in ctx.runs
        and (child := ctx.store.find(child_id)) is not None
        and child.state.status is Status.RESTARTING
    ]
    if waits:
        _, late = await asyncio.wait(waits, timeout=_PATIENCE)
        for task in late:
            task.cancel()


async def follow(ctx: Context, container: Container) -> None:
    """Tell those that link to a container its present address and name; it is told theirs, too.

    One that it links to may have started again while it was starting itself.
    """
    for linked in reachable(ctx, container):
        await _relink(ctx, container, linked.alias, hosts_lines(linked))
    for parent in ctx.store.all():
        if container.id in parent.links.values() and parent.state.status.is_running:
            for linked in reachable(ctx, parent):
                if linked.container.id == container.id:
                    await _relink(ctx, parent, linked.alias, hosts_lines(linked))


async def unlink(ctx: Context, link: str) -> None:
    """Take a link ``parent/alias`` away. Raises NotFound, Conflict (no link's name)."""
    parent_name, _, alias = link.strip("/").rpartition("/")
    if not parent_name:
        ctx.store.get(link)
        raise Conflict(
            f"Conflict, cannot remove the default link name of the container {link}: use "
            "PARENT/ALIAS"
        )
    parent = ctx.store.get(parent_name)
    async with ctx.locks(parent.id):

        def edit(before: Container) -> Container:
            if alias not in before.links:
                raise NotFound(f"No such container: {link}: {before.name} has no link {alias}")
            kept = {name: child for name, child in before.links.items() if name != alias}
            return msgspec.structs.replace(before, links=kept)

        parent = await ctx.store.change(parent.id, edit, durable=True)
        if parent.state.status.is_running:
            await _relink(ctx, parent, alias, [])
            await ctx.networks.reach(parent.id, prepare.reaches(ctx, parent))


async def _relink(ctx: Context, parent: Container, alias: str, lines: list[str]) -> None:
    files = Files(ctx.paths, parent)
    await asyncio.to_thread(files.edit_hosts, lambda text: hosts.relinked(text, alias, lines))
