"""Three managers, of which the one that a node joined by dies."""

from __future__ import annotations

import asyncio

from davit.model.swarm import JoinRequest, NodeState
from tests.engine.services.swarm.conftest import Node, until
from tests.engine.swarmbed import managers


async def test_leader_dies(node: Node) -> None:
    bed = managers(3)
    first, second, third = await asyncio.to_thread(bed.__enter__)
    try:
        token = await asyncio.to_thread(first.token)
        await node.service.join(JoinRequest(remote_addrs=[first.address], join_token=token))
        node_id = node.service.info().node_id
        # The whole list has come with the session.
        addresses = {f"{manager.address}:2377" for manager in (first, second, third)}
        await until(
            lambda: {one.addr for one in node.service.info().managers} == addresses, "the list"
        )
        await asyncio.to_thread(first.kill)
        await until(lambda: node.service.info().error, "the loss is told")
        await until(
            lambda: (
                second.nodes().get(node_id, {}).get("Status", {}).get("State") == "ready"
                and not node.service.info().error
            ),
            "the node is back",
            90,
        )
        # The list is on disk: a restart finds those that are left.
        await node.close()
        await node.open()
        await until(lambda: node.service.info().state is NodeState.ACTIVE, "the session", 60)
        assert node.service.info().node_id == node_id
        await node.service.leave()
    finally:
        await asyncio.to_thread(bed.__exit__, None, None, None)
