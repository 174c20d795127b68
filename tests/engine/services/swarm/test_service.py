"""Membership of a real swarm, with a controller that only remembers."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from davit.errors import Forbidden, InvalidParameter, Unavailable
from davit.model.swarm import JoinRequest, NodeState
from tests.engine.services.swarm.conftest import Node, until
from tests.engine.swarmbed import Manager


async def join(node: Node, manager: Manager, **wishes: str) -> None:
    wish = JoinRequest(
        remote_addrs=[manager.address], join_token=await asyncio.to_thread(manager.token), **wishes
    )
    await node.service.join(wish)


async def run_one(node: Node, manager: Manager, name: str) -> dict[str, Any]:
    """Make a service with one task on the node, and return the task when it runs."""
    place = ("--constraint", f"node.id=={node.service.info().node_id}", "--no-resolve-image")
    command = ("--detach", "--name", name, "busybox", "sleep", "60")
    await asyncio.to_thread(manager.docker, "service", "create", *place, *command)
    await until(lambda: manager.states(name)[:1] == ["running"], "it runs")
    return manager.tasks(name)[0]


async def leave(node: Node, manager: Manager) -> None:
    node_id = node.service.info().node_id
    await node.service.leave()
    await asyncio.to_thread(manager.docker, "node", "rm", "--force", node_id)


async def test_join_and_leave(manager: Manager, node: Node) -> None:
    await join(node, manager)
    info = node.service.info()
    assert info.state is NodeState.ACTIVE
    assert info.node_addr == manager.host
    assert [one.addr for one in info.managers] == [f"{manager.address}:2377"]
    seen = manager.nodes()[info.node_id]
    assert seen["Status"] == {"State": "ready", "Addr": manager.host}
    assert seen["Description"]["Engine"]["EngineVersion"].startswith("davit-")
    assert seen["Description"]["Engine"]["Labels"] == {"color": "blue"}
    resources = seen["Description"]["Resources"]
    assert resources["NanoCPUs"] == (os.cpu_count() or 0) * 10**9
    assert resources["MemoryBytes"] > 0
    with pytest.raises(Unavailable, match="already part of a swarm"):
        await join(node, manager)
    await leave(node, manager)
    assert node.service.info().state is NodeState.INACTIVE
    with pytest.raises(Unavailable, match="not part of a swarm"):
        await node.service.leave()


async def test_a_task_from_beginning_to_end(manager: Manager, node: Node) -> None:
    await join(node, manager)
    task = await run_one(node, manager, "one")
    assert task["NodeID"] == node.service.info().node_id
    assert task["Status"]["ContainerStatus"]["ContainerID"] == f"container-of-{task['ID']}"
    assert node.controller.calls == [("prepare", task["ID"]), ("start", task["ID"])]

    node.controller.ends[task["ID"]].set_result(7)
    await until(lambda: manager.tasks("one")[1:], "it has a successor")
    failed = manager.tasks("one")[-1]
    assert failed["Status"]["State"] == "failed"
    assert failed["Status"]["Err"] == "task: non-zero exit (7)"

    logs = await asyncio.to_thread(manager.docker, "service", "logs", "--raw", "one")
    assert logs.splitlines()[:2] == ["first", "second"]

    await asyncio.to_thread(manager.docker, "service", "rm", "one")
    await until(lambda: ("remove", task["ID"]) in node.controller.calls, "it is removed")
    await leave(node, manager)


async def test_tasks_are_taken_up_again(manager: Manager, node: Node) -> None:
    await join(node, manager)
    node_id = node.service.info().node_id
    task = await run_one(node, manager, "two")
    await node.close()
    node.controller.calls.clear()
    await node.open()
    await until(lambda: node.service.info().state is NodeState.ACTIVE, "the session is back")
    assert node.service.info().node_id == node_id
    # Ended while nobody looked, it is reported, and not before.
    node.controller.ends[task["ID"]].set_result(3)
    await until(lambda: manager.states("two")[-1:] == ["failed"], "its end is told")
    assert ("start", task["ID"]) not in node.controller.calls
    await asyncio.to_thread(manager.docker, "service", "rm", "two")
    await leave(node, manager)


async def test_drain(manager: Manager, node: Node) -> None:
    await join(node, manager, availability="drain")
    node_id = node.service.info().node_id
    assert manager.nodes()[node_id]["Spec"]["Availability"] == "drain"
    await leave(node, manager)


async def test_authority_is_replaced(manager: Manager, node: Node) -> None:
    await join(node, manager)
    before = manager.client.get("/swarm").json["TLSInfo"]["TrustRoot"]
    await asyncio.to_thread(manager.docker, "swarm", "ca", "--rotate", "--quiet")
    swarm = manager.client.get("/swarm").json
    assert not swarm["RootRotationInProgress"]
    assert swarm["TLSInfo"]["TrustRoot"] != before
    node_id = node.service.info().node_id
    tls = manager.nodes()[node_id]["Description"]["TLSInfo"]
    assert tls["TrustRoot"] == swarm["TLSInfo"]["TrustRoot"]
    # Its new certificate and roots let it in after a restart.
    await node.close()
    await node.open()
    await until(lambda: node.service.info().state is NodeState.ACTIVE, "the session is back")
    await leave(node, manager)


async def test_manager_goes_away_and_comes_back(manager: Manager, node: Node) -> None:
    await join(node, manager)
    await asyncio.to_thread(manager.stop)
    await until(lambda: node.service.info().error, "the loss is told")
    assert manager.address in node.service.info().error
    await asyncio.to_thread(manager.start)
    await until(lambda: not node.service.info().error, "the session is back", 60)
    node_id = node.service.info().node_id
    await until(lambda: manager.nodes()[node_id]["Status"]["State"] == "ready", "it is ready")
    await leave(node, manager)


async def test_promoted_and_removed(manager: Manager, node: Node) -> None:
    """A promotion changes nothing here; the way back is what the error says."""
    await join(node, manager)
    node_id = node.service.info().node_id
    await asyncio.to_thread(manager.docker, "node", "promote", node_id)
    await until(lambda: "promoted to manager" in node.service.info().error, "it is told")
    assert node.service.info().state is NodeState.ACTIVE
    assert node.service.info().node_id == node_id
    assert manager.nodes()[node_id]["Status"]["State"] == "ready"
    await node.service.leave()
    await asyncio.to_thread(manager.docker, "node", "rm", "--force", node_id)
    await join(node, manager)
    assert not node.service.info().error
    await leave(node, manager)


async def test_removed_from_the_swarm(manager: Manager, node: Node) -> None:
    await join(node, manager)
    node_id = node.service.info().node_id
    await asyncio.to_thread(manager.docker, "node", "rm", "--force", node_id)
    await asyncio.to_thread(manager.stop)
    await asyncio.to_thread(manager.start)
    await until(lambda: node.service.info().state is NodeState.ERROR, "it is told", 60)
    assert "removed from its swarm" in node.service.info().error
    await node.service.leave()
    await join(node, manager)
    assert node.service.info().node_id != node_id
    await leave(node, manager)


@pytest.mark.parametrize("token", ["", "SWMTKN-1-x-y"])
async def test_malformed_token(manager: Manager, node: Node, token: str) -> None:
    with pytest.raises(InvalidParameter, match="join-token worker"):
        await node.service.join(JoinRequest(remote_addrs=[manager.address], join_token=token))
    assert node.service.info().state is NodeState.INACTIVE


async def test_token_of_another_swarm(manager: Manager, node: Node) -> None:
    wish = JoinRequest(remote_addrs=[manager.address], join_token=f"SWMTKN-1-{'1' * 50}-{'2' * 25}")
    with pytest.raises(Forbidden, match="fingerprint"):
        await node.service.join(wish)
    assert node.service.info().state is NodeState.INACTIVE


async def test_nobody_there(manager: Manager, node: Node) -> None:
    token = await asyncio.to_thread(manager.token)
    wish = JoinRequest(remote_addrs=["127.0.0.1:9"], join_token=token)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        await node.service.join(wish)
    assert node.service.info().state is NodeState.INACTIVE
