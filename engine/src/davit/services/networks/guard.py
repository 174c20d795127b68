"""Puts back what others on the host take away from running containers.

``nft flush ruleset`` (a firewall that reloads), a bridge deleted by hand, forwarding switched off
by ``sysctl --system``: the kernel tells it, so nothing is polled, and what was is made again.
Only what is davit's own is touched, but for the switches of forwarding.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from davit.drivers import netlink
from davit.drivers.notices import LinkNotices
from davit.errors import DavitError
from davit.model.network import Network
from davit.services.networks import bridges, options
from davit.services.networks.manage import Networks
from davit.services.networks.packet_filter import PacketFilter
from davit.services.networks.plugs import veth_name
from davit.store.networks import NetworkStore, SandboxStore

logger = logging.getLogger(__name__)

SETTLE = 0.1
"""Seconds to wait for the rest of what somebody does: a reload is many transactions."""
REST = 1.0
"""Seconds between two repairs: another tool that insists is not fought in a loop."""


class Guard:
    """Watches from ``open`` to ``close``."""

    def __init__(
        self,
        networks: Networks,
        rows: NetworkStore,
        sandboxes: SandboxStore,
        links: netlink.Links,
        packets: PacketFilter,
    ) -> None:
        self._networks = networks
        self._rows = rows
        self._sandboxes = sandboxes
        self._links = links
        self._packets = packets
        self._notices: LinkNotices | None = None
        self._disturbed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to watch; what happened before is not seen."""
        self._notices = LinkNotices()
        asyncio.get_running_loop().add_reader(self._notices.fileno(), self._read, self._notices)
        self._packets.listen()
        self._tasks = [
            asyncio.create_task(self._keep(self._packets.disturbed, self._packets.restore)),
            asyncio.create_task(self._keep(self._disturbed, self._mend)),
        ]

    async def close(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._packets.stop_listening()
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices.fileno())
            self._notices.close()
            self._notices = None

    async def _keep(self, disturbed: asyncio.Event, repair: Callable[[], Awaitable[None]]) -> None:
        while True:
            await disturbed.wait()
            await asyncio.sleep(SETTLE)
            disturbed.clear()
            try:
                await repair()
            except DavitError as error:
                logger.error("cannot put back what was changed: %s", error.message)
            await asyncio.sleep(REST)

    def _read(self, notices: LinkNotices) -> None:
        changes = notices.take()
        lost_bridge = any(network.bridge in changes.deleted for network in self._rows.all())
        if changes.lost or changes.stopped_forwarding or lost_bridge:
            self._disturbed.set()

    async def _mend(self) -> None:
        for network in await self._networks.mend_bridges():
            logger.warning(
                "somebody deleted the bridge %s of network %s: it is made again",
                network.bridge,
                network.name,
            )
            await asyncio.to_thread(self._replug, network)
        for family, key in bridges.FORWARDING.items():
            if not any(network.bridge and network.pool(family) for network in self._rows.all()):
                continue
            if await asyncio.to_thread(netlink.set_sysctl, key, "1"):
                logger.warning(
                    "somebody set net.%s to 0: it is 1 again, containers need it; look for it in "
                    "/etc/sysctl.d",
                    key.replace("/", "."),
                )

    def _replug(self, network: Network) -> None:
        """Plug the veth pairs, which have outlived the bridge, into the new one. Blocking."""
        for sandbox in self._sandboxes.on(network):
            with contextlib.suppress(DavitError):  # it has just left
                self._links.plug(
                    veth_name(sandbox.endpoints[network.name]),
                    network.bridge,
                    isolated=not options.parse(network.spec.options).icc,
                    hairpin=bool(sandbox.ports),
                )
