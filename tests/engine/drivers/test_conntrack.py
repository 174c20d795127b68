"""Flows of real packets, in a namespace where nobody else sends any."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from davit.drivers import conntrack, nft
from davit.sys import netns

# Without a rule that asks for it, nothing is tracked.
TRACKED = """\
table inet t {
	chain c {
		type filter hook output priority 0;
		ct state new accept
	}
}
"""


@pytest.fixture
def namespace() -> Iterator[int]:
    made = netns.create()
    with netns.inside(made):
        for what in ("address add 10.9.0.1/24", "address add fd00:9::1/64"):
            subprocess.run(["ip", *what.split(), "dev", "lo"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    nft.apply(TRACKED, made)
    yield made
    os.close(made)


def send(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", (address, port))


def forget(namespace: int, addresses: list[str], ports: list[int]) -> int:
    with netns.inside(namespace):
        return conntrack.forget_udp(addresses, ports)


def test_flows_to_ports_and_of_addresses_are_forgotten(namespace: int) -> None:
    with netns.inside(namespace):
        with socket.create_server(("10.9.0.1", 53)) as server:  # TCP has nothing to do with it
            socket.create_connection(server.getsockname()).close()
        for address in ("127.0.0.1", "10.9.0.1", "fd00:9::1"):
            for port in (53, 54):
                send(address, port)
    assert forget(namespace, [], [53]) == 3
    assert forget(namespace, [], [53]) == 0
    assert forget(namespace, ["10.9.0.1"], []) == 1
    assert forget(namespace, ["10.9.0.2", "fd00:9::1"], []) == 1
    assert forget(namespace, ["127.0.0.1", "::1"], [9]) == 1
    assert forget(namespace, [], []) == 0
