"""Published TCP ports on ``::1``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from davit.drivers.relay import Relay
from davit.model.network import Sandbox
from davit.services.networks import interfaces
from davit.services.networks.ports import Ports
from davit.store.networks import SandboxStore


class Relays:
    """The running relays, by container."""

    def __init__(self, sandboxes: SandboxStore, ports: Ports) -> None:
        self._sandboxes = sandboxes
        self._ports = ports
        self._relays: dict[str, list[Relay]] = {}

    async def open(self, container_id: str) -> None:
        """Serve the ports that a container holds on ``::1`` or on all of IPv6. Undoes itself."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.close, container_id)
            for claim in self._ports.on_ipv6_loopback(container_id):
                relay = Relay(claim.socket, self._target(container_id, claim.target))
                self._relays.setdefault(container_id, []).append(relay)
                await relay.start()
            undo.pop_all()

    def close(self, container_id: str) -> None:
        """Idempotent."""
        for relay in self._relays.pop(container_id, ()):
            relay.close()

    def close_all(self) -> None:
        for container_id in list(self._relays):
            self.close(container_id)

    def _target(self, container_id: str, port: int) -> Callable[[], tuple[str, int] | None]:
        def target() -> tuple[str, int] | None:
            sandbox = self._sandboxes.find(container_id)
            address = _address(sandbox) if sandbox is not None else ""
            return (address, port) if address else None

        return target


def _address(sandbox: Sandbox) -> str:
    """Where its published ports are, by IPv6 if there is a way."""
    ways = interfaces.ways_out(sandbox.endpoints)
    if 6 in ways:
        return ways[6].global_ipv6_address
    return ways[4].ip_address if 4 in ways else ""
