"""A swarm over SSH: three managers with Moby, two workers with davit, hosts of the lab."""

from __future__ import annotations

import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.swarm.plays import LAB, ROOT, Played, Topology, play

IMAGE = "localhost/busybox:1"
_DEADLINE = 90


@dataclass
class Host:
    """A host of the lab, as root over SSH."""

    name: str
    address: str

    def run(self, *command: str, stdin: str = "", fails: bool = False) -> str:
        """Return what the command prints. fails: whether it has to; then what it complains of."""
        options = {
            "IdentityFile": LAB / "keys/id_ed25519",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": LAB / "keys/known_hosts",
            "ControlMaster": "auto",
            "ControlPath": LAB / "%h",
            "ControlPersist": "60",
        }
        flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        done = subprocess.run(
            ["ssh", *flags, f"root@{self.address}", shlex.join(command)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert bool(done.returncode) == fails, f"{self.name}: {command}: {done.stderr}"
        return done.stderr if fails else done.stdout.strip()

    def processes(self, command: str) -> list[str]:
        """Return the processes that run exactly this command."""
        return self.run("sh", "-c", f"pgrep -fx '{command}' || true").split()


@dataclass
class Swarm:
    """The swarm, as ``docker`` on one of its managers sees it."""

    managers: list[Host]
    workers: list[Host]
    # No engine, and in no swarm.
    spare: Host
    topology: Topology
    # The first run of role swarm, in check mode, and which hosts were in a swarm after that.
    foretold: Played
    begun_by_that: list[str]
    # Which of them is asked.
    manager: Host = field(init=False)

    def __post_init__(self) -> None:
        self.manager = self.managers[0]

    def docker(self, *words: str, stdin: str = "", fails: bool = False) -> str:
        return self.manager.run("docker", *words, stdin=stdin, fails=fails)

    def create(self, name: str, *words: str, command: str = "sleep 9000") -> None:
        """Create a service that workers run, and do not wait for it."""
        self.docker(
            *("service", "create", "--quiet", "--detach", "--no-resolve-image"),
            *("--name", name, "--constraint", "node.role==worker", "--restart-delay", "100ms"),
            *("--stop-grace-period", "200ms"),  # sleep knows no signals but one
            *(*words, IMAGE, *shlex.split(command)),
        )

    def update(self, name: str, *words: str) -> None:
        self.docker("service", "update", "--quiet", "--detach", "--no-resolve-image", *words, name)

    def running(self, service: str) -> dict[str, int]:
        """Return how many tasks run, by node."""
        shown = self.docker(
            *("service", "ps", "--filter", "desired-state=running"),
            *("--format", "{{.Node}} {{.CurrentState}}", service),
        )
        rows = [line.split() for line in shown.splitlines()]
        return dict(collections.Counter(node for node, state, *_ in rows if state == "Running"))

    def history(self, service: str) -> list[tuple[str, str, str]]:
        """Return node, state and error of all tasks, the newest first."""
        shown = self.docker(
            *("service", "ps", "--no-trunc"),
            *("--format", "{{.Node}}|{{.CurrentState}}|{{.Error}}", service),
        )
        rows = [line.split("|") for line in shown.splitlines()]
        return [(node, state.split()[0], error) for node, state, error in rows]

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = json.loads(self.docker(kind, "inspect", name))
        assert isinstance(found, dict)
        return found

    def nodes(self) -> dict[str, str]:
        """Return the status of the nodes, and what they are among the managers, by host name."""
        shown = self.docker(
            "node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}"
        )
        return {line.split(" ", 1)[0]: line.split(" ", 1)[1].strip() for line in shown.splitlines()}


def wait_for(what: str, condition: Callable[[], Any], deadline: float = _DEADLINE) -> None:
    """Wait until a condition holds; one that raises because a manager is away does not."""
    end = time.monotonic() + deadline
    last: object = None
    while True:
        try:
            last = condition()
        except AssertionError as error:
            last = error
        else:
            if last:
                return
        assert time.monotonic() < end, f"{what}: {last}"
        time.sleep(0.3)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The bed takes minutes, which are no test's."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/swarm"):
            item.add_marker(pytest.mark.timeout(900, func_only=True))


@pytest.fixture(scope="session")
def bed() -> Iterator[Swarm]:
    keep = bool(os.environ.get("TEST_SWARM_KEEP"))
    names = ["m1", "m2", "m3", "w1", "w2", "spare"]
    subnet = _own_subnet() or _free_subnet()
    addresses = {name: f"{subnet}.{11 + index}" for index, name in enumerate(names)}
    settings = {
        "davit_lab_dir": str(LAB),
        "davit_lab_cache": str(ROOT / ".lab/cache"),
        "davit_lab_subnet": f"{subnet}.0/24",
        "davit_lab_hosts": addresses,
        "davit_lab_flavors": dict.fromkeys([*names[:3], "spare"], "moby"),
        "davit_lab_groups": {"managers": names[:3], "workers": names[3:5]},
    }
    hosts = {name: Host(name, addresses[name]) for name in names}
    managers, workers = [hosts[name] for name in names[:3]], [hosts[name] for name in names[3:5]]
    # Moby counts a zone of managers only, where no task may run, when it shares tasks out.
    labels = {name: {"zone": "b" if name == "w2" else "a"} for name in names[:5]}
    topology = Topology(names[:3], names[3:5], labels)
    made = LAB / "made"
    LAB.mkdir(parents=True, exist_ok=True)
    try:
        if not (keep and made.exists()):
            play(ROOT / "tests/swarm/bed.yml", settings)
            foretold = topology.apply("--check")
            begun = [host.name for host in (*managers, *workers) if _is_node(host)]
            topology.apply()
            made.write_text(json.dumps([foretold.told, foretold.changed, begun]))
        told, changed, begun = json.loads(made.read_text())
        yield Swarm(managers, workers, hosts["spare"], topology, Played(told, changed), begun)
    finally:
        if not keep:
            play(ROOT / "playbooks/lab_down.yml", settings)
            shutil.rmtree(LAB)


def _is_node(host: Host) -> bool:
    """Whether one of the engines has written what it needs to know of a swarm."""
    files = "/var/lib/docker/swarm/docker-state.json /var/lib/davit/swarm/state.json"
    return bool(host.run("sh", "-c", f"ls {files} 2>/dev/null || true"))


@pytest.fixture
def swarm(bed: Swarm) -> Iterator[Swarm]:
    """The swarm with all nodes ready and no service, secret or config."""
    bed.manager = bed.managers[0]
    names = {host.name for host in (*bed.managers, *bed.workers)}
    wait_for("all nodes are ready", lambda: _are_ready(bed, names))
    yield bed
    bed.manager = bed.managers[0]
    for kind in ("service", "secret", "config"):
        found = bed.docker(kind, "ls", "--quiet").split()
        if found:
            bed.docker(kind, "rm", *found)
    wait_for(
        "no task is left",
        lambda: not any(host.processes("sleep [0-9]+") for host in bed.workers),
    )


def _are_ready(bed: Swarm, names: set[str]) -> bool:
    nodes = bed.nodes()
    return set(nodes) == names and all(state.startswith("Ready") for state in nodes.values())


def _own_subnet() -> str | None:
    """Return the beginning of the network of the lab that is there, if any."""
    inventory = LAB / "inventory.yml"
    if not inventory.exists():
        return None
    found = re.search(r"ansible_host: (\S+)\.\d+", inventory.read_text())
    return found and found[1]


def _free_subnet() -> str:
    """Return the beginning of a network that no other lab on this machine has."""
    routes = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True)
    return next(
        subnet
        for subnet in (f"10.209.{number}" for number in range(60, 250))
        if f"{subnet}.0/24" not in routes.stdout
    )
