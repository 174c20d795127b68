"""A name server for each container on a user-defined network."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from davit.drivers import nft
from davit.model.dns import Answer, Lookup, Upstream
from davit.model.network import Sandbox
from davit.services.networks import interfaces, resolver
from davit.services.networks.resolver import Resolvers
from davit.store.networks import SandboxStore

if TYPE_CHECKING:
    from davit.drivers.dns import Server

logger = logging.getLogger(__name__)

_HOST = Path("/etc/resolv.conf")
# systemd-resolved: the servers behind its stub on 127.0.0.53.
_UPLINKS = Path("/run/systemd/resolve/resolv.conf")


class NameServers:
    """The running servers, by container."""

    def __init__(self, sandboxes: SandboxStore, own: Resolvers) -> None:
        """own: the daemon's settings, used before the host's."""
        self._sandboxes = sandboxes
        self._own = own
        self._servers: dict[str, Server] = {}

    async def open(self, sandbox: Sandbox, namespace: int | Path) -> None:
        """Serve a container, if it is on a network that has names. Undoes itself."""
        if sandbox.container_id in self._servers or not await self._is_needed(sandbox):
            return
        server = await asyncio.to_thread(
            _open_server, namespace, self._lookup(sandbox), self._upstream(sandbox)
        )
        self._servers[sandbox.container_id] = server
        try:
            rules = resolver.dns_rules(server.ports)
            await server.start()
            await asyncio.to_thread(nft.apply, rules, namespace)
        except BaseException:
            self.close(sandbox.container_id)
            raise

    def close(self, container_id: str) -> None:
        """Stop serving a container. Idempotent."""
        server = self._servers.pop(container_id, None)
        if server is not None:
            server.close()

    def close_all(self) -> None:
        for container_id in list(self._servers):
            self.close(container_id)

    async def _is_needed(self, sandbox: Sandbox) -> bool:
        if resolver.has_names(sandbox.endpoints):
            return True
        if sandbox.resolvers or self._own.servers or not sandbox.endpoints:
            return False
        return (await asyncio.to_thread(host_resolvers)).are_hidden

    def _lookup(self, sandbox: Sandbox) -> Lookup:
        def lookup(name: str) -> Answer | None:
            asker = self._sandboxes.find(sandbox.container_id) or sandbox
            return resolver.answer(name, asker, self._sandboxes.all())

        return lookup

    def _upstream(self, sandbox: Sandbox) -> Callable[[], Upstream]:
        def upstream() -> Upstream:
            asker = self._sandboxes.find(sandbox.container_id) or sandbox
            if not interfaces.ways_out(asker.endpoints):
                return Upstream()  # internal networks only: no way out for questions, too
            # One that names davit's own server would be asked by itself, over and over.
            resolvers = [server for server in asker.resolvers if server != resolver.ADDRESS]
            if resolvers:
                return Upstream(resolvers, Path(asker.netns))
            return Upstream(self._own.or_else(Resolvers.parse(_read(_HOST))).servers)

        return upstream


def _open_server(namespace: int | Path, lookup: Lookup, upstream: Callable[[], Upstream]) -> Server:
    """Bind a server's sockets. Blocking, the more so the first time.

    The driver is loaded with the first server: dnslib takes memory, and many hosts need none.
    """
    from davit.drivers import dns

    udp, tcp = dns.open_sockets(namespace, resolver.ADDRESS)
    return dns.Server(udp, tcp, lookup, upstream)


def host_resolvers() -> Resolvers:
    """The host's name servers as a container can reach them. Blocking."""
    found = Resolvers.parse(_read(_HOST))
    if not found.reachable().servers:
        found = Resolvers.parse(_read(_UPLINKS)).or_else(found)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
