"""Whole lives of real containers."""

from __future__ import annotations

from davit.model.container import Status
from tests.engine.services.containers.world import World


async def test_a_container_lives_and_dies(world: World) -> None:
    container = await world.run("hello", "sh", "-c", "echo hi; hostname; exit 7")
    ended = await world.ended(container)
    assert ended.exit_code == 7
    assert world.log(container) == f"hi\n{container.id[:12]}"
    state = world.store.get("hello").state
    assert (state.status, state.exit_code, state.pid) == (Status.EXITED, 7, 0)
    assert 0 < state.started_at <= state.finished_at
    assert world.actions(container) == ["create", "start", "die"]
    await world.containers.remove("hello")
    await world.settle()
    assert world.store.all() == []
    assert world.actions(container)[-1] == "destroy"
    told = [action for kind, action, _, _ in world.events if kind == "network"][-2:]
    assert told == ["connect", "disconnect"]
    assert world.traces() == []
