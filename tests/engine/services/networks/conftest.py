"""Real networks, on subnets that nobody else uses; nothing of them may stay behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from davit.config import Settings
from davit.model import ids
from davit.services.networks.service import NetworkService
from davit.store.db import Database
from davit.store.paths import Paths
from davit.sys import netns
from tests.engine.services.networks.world import POOL, Events, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    settings = Settings(
        data_root=tmp_path / "data", run_root=tmp_path / "run", default_address_pools=(POOL,)
    )
    paths = Paths(settings.data_root, settings.run_root)
    database = Database(paths.database)
    await database.open()
    events = Events()
    made = World(
        settings, paths, database, NetworkService(settings, paths, database, events), events
    )
    await made.service.open(())
    yield made
    await made.service.erase()
    await made.service.close()
    await database.close()
    assert made.traces() == ([], [], [], "")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Another machine, 10.233.0.2, that has the host (10.233.0.1) as its router."""
    pin = tmp_path / "outside"
    namespace = netns.create()
    netns.pin(namespace, pin)
    name = f"out{ids.new_id()[:8]}"
    for command in (
        f"ip link add {name} type veth peer name eth0 netns {pin}",
        f"ip address add 10.233.0.1/24 dev {name}",
        f"ip link set {name} up",
        f"nsenter --net={pin} ip address add 10.233.0.2/24 dev eth0",
        f"nsenter --net={pin} ip link set eth0 up",
        f"nsenter --net={pin} ip route add default via 10.233.0.1",
    ):
        subprocess.run(command.split(), check=True)
    yield pin
    subprocess.run(["ip", "link", "delete", name], check=True)
    netns.unpin(pin)
    os.close(namespace)
