"""UDP flows that began before a container came or went.

The kernel translates a flow as its first packet was; UDP clients that never pause would go on
reaching the container that had the port, or nobody, although another one has it by now.
"""

from __future__ import annotations

import asyncio
import logging

from davit.drivers import conntrack
from davit.errors import DavitError
from davit.model.network import Sandbox

logger = logging.getLogger(__name__)


async def forget_published(sandbox: Sandbox) -> None:
    """Have flows to its published UDP ports begin anew. Does nothing for one without."""
    if ports := _ports(sandbox):
        await _forget(sandbox, set(), ports)


async def forget_gone(sandbox: Sandbox) -> None:
    """Forget what was led to its published UDP ports: its addresses will be somebody else's.

    Flows that nothing translates do no harm, and looking through all costs milliseconds.
    """
    if ports := _ports(sandbox):
        held = sandbox.endpoints.values()
        await _forget(sandbox, {address for end in held for address in end.addresses}, ports)


def _ports(sandbox: Sandbox) -> set[int]:
    """Of the host, for UDP."""
    return {
        int(side.host_port)
        for port, sides in sandbox.ports.items()
        if port.endswith("/udp")
        for side in sides
        if side.host_port
    }


async def _forget(sandbox: Sandbox, addresses: set[str], ports: set[int]) -> None:
    try:
        await asyncio.to_thread(conntrack.forget_udp, addresses, ports)
    except DavitError as error:
        logger.warning("container %s: %s", sandbox.name, error.message)
