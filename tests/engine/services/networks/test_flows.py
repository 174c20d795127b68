"""UDP clients that never pause: whom they reach when containers come and go."""

import asyncio
import socket
from pathlib import Path

import pytest

from davit.drivers import conntrack
from davit.model.config import PortBinding
from davit.model.network import Sandbox
from davit.sys import netns
from tests.engine.services.networks.world import World

PORT = 20053
PUBLISHED = {"53/udp": [PortBinding(host_port=str(PORT))]}


def udp(where: Sandbox | Path, port: int = 0) -> socket.socket:
    """A socket inside a namespace."""
    with netns.inside(where if isinstance(where, Path) else Path(where.netns)):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("0.0.0.0", port))
    made.settimeout(2)
    return made


async def test_a_flow_that_began_before_the_port_was_published(world: World, outside: Path) -> None:
    with udp(outside) as client:
        client.connect(("10.233.0.1", PORT))
        client.send(b"early")
        with pytest.raises(ConnectionRefusedError):  # nobody listens, says the host
            client.recv(1)
        web = await world.run("web", ports=PUBLISHED)
        with udp(web, 53) as server:
            client.send(b"late")
            assert server.recv(100) == b"late"


async def test_a_flow_moves_to_the_next_container(world: World, outside: Path) -> None:
    first = await world.run("first", ports=PUBLISHED)
    with udp(outside) as client:
        client.connect(("10.233.0.1", PORT))
        with udp(first, 53) as server:
            client.send(b"one")
            assert server.recv(100) == b"one"
        await world.service.leave(first.container_id)
        await world.service.settle()
        other = await world.run("other")
        assert other.endpoints["bridge"].ip_address == first.endpoints["bridge"].ip_address
        second = await world.run("second", ports=PUBLISHED)
        with udp(second, 53) as server, udp(other, 53):
            client.send(b"two")
            assert server.recv(100) == b"two"


async def test_nothing_is_left_of_who_has_gone(world: World, outside: Path) -> None:
    web, other = await world.run("web", ports=PUBLISHED), await world.run("other")
    for sandbox in (web, other):
        with udp(sandbox) as client, udp(outside, 9) as server:
            client.sendto(b"x", ("10.233.0.2", 9))
            assert server.recv(100) == b"x"
    await world.service.leave(web.container_id)
    await world.service.settle()
    for sandbox, left in ((web, 0), (other, 1)):
        addresses = sandbox.endpoints["bridge"].addresses
        assert await asyncio.to_thread(conntrack.forget_udp, addresses) == left
