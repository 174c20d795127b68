"""Processes of a container."""

from __future__ import annotations

import pytest

from davit.errors import Conflict, InvalidParameter
from davit.services.containers import top
from tests.engine.services.containers.world import World

OUTPUT = """\
UID          PID COMMAND
root           1 init
root          42 sleep 10  20
root         421 other
"""


def test_only_lines_of_the_containers_processes() -> None:
    found = top.select(OUTPUT, {42})
    assert found.titles == ["UID", "PID", "COMMAND"]
    assert found.processes == [["root", "42", "sleep 10  20"]]


def test_a_pid_column_is_needed() -> None:
    with pytest.raises(InvalidParameter, match="Couldn't find PID field"):
        top.select("UID COMMAND\nroot init\n", {1})


async def test_top(world: World) -> None:
    container = await world.run("box", "sh", "-c", "echo ready; sleep 1234; true")
    await world.ready(container)
    found = await world.containers.top("box", "-eo pid,args")
    assert str(container.state.pid) in [row[0] for row in found.processes]
    assert all("1234" in row[1] for row in found.processes)
    with pytest.raises(InvalidParameter, match="ps --nonsense failed"):
        await world.containers.top("box", "--nonsense")
    await world.containers.kill("box")
    with pytest.raises(Conflict, match="is not running"):
        await world.containers.top("box")
