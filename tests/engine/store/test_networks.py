from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from davit.errors import InvalidParameter, NotFound
from davit.model.network import EndpointSettings, Network, NetworkSpec, Sandbox
from davit.store.db import Database
from davit.store.networks import NetworkStore, SandboxStore


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(tmp_path / "state.db")
    await made.open()
    yield made
    await made.close()


def network(network_id: str, name: str) -> Network:
    return Network(id=network_id, name=name, created=1, spec=NetworkSpec(name=name))


async def test_networks_are_found_by_id_name_and_prefix(database: Database) -> None:
    store = NetworkStore(database)
    first, second = network("abc1", "web"), network("abd2", "abc")
    await store.put(first)
    await store.put(second)
    assert store.get("abc1") is first
    assert store.get("abc") is second  # a name goes before a prefix
    assert store.get("abd") is second
    with pytest.raises(InvalidParameter, match="multiple IDs found with provided prefix: ab"):
        store.get("ab")
    for missing in ("", "zz"):
        with pytest.raises(NotFound, match=f"network {missing} not found"):
            store.get(missing)


async def test_rows_come_back(database: Database) -> None:
    networks, sandboxes = NetworkStore(database), SandboxStore(database)
    web = network("abc1", "web")
    sandbox = Sandbox(
        container_id="c", name="c", hostname="h", netns="/x", endpoints={"web": EndpointSettings()}
    )
    await networks.put(web)
    await sandboxes.put(sandbox)
    networks, sandboxes = NetworkStore(database), SandboxStore(database)
    await networks.load()
    await sandboxes.load()
    assert networks.all() == [web]
    assert sandboxes.find("c") == sandbox
    assert sandboxes.on(web) == [sandbox]
    await networks.remove("abc1")
    await networks.remove("abc1")
    await sandboxes.remove("c")
    await sandboxes.remove("c")
    assert await database.load("networks") == []
    assert await database.load("sandboxes") == []


async def test_a_sandbox_is_visible_before_it_is_written(database: Database) -> None:
    sandboxes = SandboxStore(database)
    writing = sandboxes.put(Sandbox(container_id="c", name="c", hostname="h", netns="/x"))
    assert sandboxes.find("c") is not None
    await writing
