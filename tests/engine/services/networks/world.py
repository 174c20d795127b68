"""A daemon's networks without the daemon: real bridges, containers that are only namespaces."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from davit.config import AddressPool, Settings
from davit.drivers import netlink
from davit.model import ids
from davit.model.config import PortBinding
from davit.model.network import IPAM, EndpointSettings, IPAMPool, JoinRequest, NetworkSpec, Sandbox
from davit.services.networks.service import NetworkService
from davit.store.db import Database
from davit.store.paths import Paths
from davit.sys import netns

POOL = AddressPool("10.231.0.0/16", 24)


class Events:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def publish(
        self, kind: str, action: str, actor_id: str, attributes: Mapping[str, str], /
    ) -> None:
        self.seen.append((kind, action, attributes.get("name", "")))


@dataclass
class World:
    """A daemon's networks, and containers that are only namespaces."""

    settings: Settings
    paths: Paths
    database: Database
    service: NetworkService
    events: Events = field(default_factory=Events)

    async def run(
        self,
        name: str,
        networks: Sequence[str] | Mapping[str, EndpointSettings] = ("bridge",),
        *,
        ports: Mapping[str, list[PortBinding]] | None = None,
        container_id: str = "",
        resolvers: Sequence[str] = (),
    ) -> Sandbox:
        """Prepare and join, as a container's start does."""
        wishes = networks if isinstance(networks, Mapping) else dict.fromkeys(networks)
        request = JoinRequest(
            container_id=container_id or ids.new_id(),
            name=name,
            hostname=f"host-{name}",
            endpoints={
                self.service.resolve(network).id: wish or EndpointSettings()
                for network, wish in wishes.items()
            },
            bindings=dict(ports or {}),
            resolvers=list(resolvers),
        )
        await self.service.prepare(request.container_id)
        try:
            return await self.service.join(request)
        except BaseException:
            await self.service.leave(request.container_id)
            raise

    async def network(self, name: str, **options: object) -> None:
        await self.service.create(NetworkSpec(name=name, **options))  # type: ignore[arg-type]

    async def restart(self, live: Sequence[str]) -> None:
        """End davitd and start it again; the containers in ``live`` have gone on."""
        await self.service.close()
        self.service = NetworkService(self.settings, self.paths, self.database, self.events)
        await self.service.open(live)

    def _bridges(self) -> list[str]:
        return sorted(netlink.bridges(f"davit {self.settings.instance}"))

    @staticmethod
    def subnet(cidr: str) -> IPAM:
        return IPAM(config=[IPAMPool(subnet=cidr)])

    def traces(self) -> tuple[list[str], list[list[str]], list[str], str]:
        """Everything that the networks have in the kernel and on disk."""
        bridges = self._bridges()
        return (
            bridges,
            [sorted(netlink.ports(bridge)) for bridge in bridges],
            sorted(path.name for path in self.paths.netns.glob("*")),
            self.rules(),
        )

    def break_bridge(self, name: str) -> None:
        """Make plugging into a network fail: its bridge is gone."""
        with netlink.Links() as links:
            links.delete(self.service.resolve(name).bridge)

    def flush_rules(self) -> None:
        """What ``nft flush ruleset`` does to us."""
        table = f"davit_{self.settings.instance}"
        subprocess.run(["nft", "delete", "table", "ip", table], check=True)

    def rules(self) -> str:
        table = f"davit_{self.settings.instance}"
        return "".join(
            self.shown("nft", "-s", "list", "table", family, table) for family in ("ip", "ip6")
        )

    @staticmethod
    def shown(*command: str) -> str:
        """What a command prints, nothing when it fails."""
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Echo:
    """A TCP server inside a namespace that answers with its name and the client's address."""

    def __init__(
        self, where: Sandbox | Path, name: str, port: int, address: str = "0.0.0.0"
    ) -> None:
        self._name = name
        with netns.inside(where if isinstance(where, Path) else Path(where.netns)):
            self._socket = socket.create_server((address, port), family=family_of(address))

    async def __aenter__(self) -> Echo:
        self._server = await asyncio.start_server(self._answer, sock=self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        writer.write(f"{self._name} {peer}".encode())
        await writer.drain()
        writer.close()


async def fetch(address: str, port: int, where: str | Path | None = None) -> str:
    """Connect from a namespace (the host's by default); raises OSError or TimeoutError."""
    if where is None:
        client = socket.socket(family_of(address))
    else:
        with netns.inside(Path(where)):
            client = socket.socket(family_of(address))
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    with client:
        await asyncio.wait_for(loop.sock_connect(client, (address, port)), 2)
        return (await asyncio.wait_for(loop.sock_recv(client, 100), 2)).decode()


def run_inside(sandbox: Sandbox, *command: str) -> str:
    """Run a command in a sandbox's namespace and return what it prints."""
    done = subprocess.run(
        ["nsenter", f"--net={sandbox.netns}", *command], capture_output=True, text=True, check=True
    )
    return done.stdout
