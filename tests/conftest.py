"""What tests of several directories share: how they are spread, and a real swarm.

Tests of a file never run side by side, nor do those of each of the groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

    from tests.engine.swarmbed import Manager

_GROUPS = {
    "addresses": (
        # Subnets, bridges and routes of the machine's own namespace, under fixed addresses.
        r"tests/engine/services/networks/",
        r"tests/engine/api/test_networks",
        r"tests/engine/compat/test_docker_cli",
        r"tests/integration/test_(container|workload)",
    ),
    "swarm": (r"tests/integration/test_swarm_",),  # they share managers
    "peers": (r"tests/engine/interop/",),  # they share a registry, podman and buildah
}

# It takes minutes; as xdist begins with the files of most tests, all would wait for it at the end.
_FIRST = "tests/engine/faults/test_kill_at_each_step.py"


class Scheduling(LoadFileScheduling):
    """Gives a worker a whole file or a whole group of files."""

    def _split_scope(self, nodeid: str) -> str:
        for group, patterns in _GROUPS.items():
            if any(re.match(pattern, nodeid) for pattern in patterns):
                return group
        return super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if _FIRST in self.workqueue:
            self.workqueue.move_to_end(_FIRST, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def only_manager() -> Iterator[Manager]:
    """One for all that this process runs, with the image busybox: to start it takes seconds."""
    from tests.engine.swarmbed import managers

    with managers(1) as (first,):
        first.load_busybox()
        yield first


@pytest.fixture(scope="module")
def manager(only_manager: Manager) -> Iterator[Manager]:
    """The swarm's manager, alone in it before and after a module's tests."""
    yield only_manager
    for node_id, node in only_manager.nodes().items():
        if node["Spec"]["Role"] == "worker" or "ManagerStatus" not in node:
            only_manager.docker("node", "rm", "--force", node_id)
    assert len(only_manager.nodes()) == 1
    assert only_manager.client.get("/services").json == []
