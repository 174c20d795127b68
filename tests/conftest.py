"""Which of the tests never run side by side: those of a file, and those of each of these groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

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


class Scheduling(LoadFileScheduling):
    """Gives a worker a whole file or a whole group of files."""

    def _split_scope(self, nodeid: str) -> str:
        for group, patterns in _GROUPS.items():
            if any(re.match(pattern, nodeid) for pattern in patterns):
                return group
        return super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
