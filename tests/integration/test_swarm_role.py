"""The role swarm: real playbooks that make real hosts into swarms, and out of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.engine.client import Client
from tests.engine.conftest import new_davitd
from tests.engine.swarmbed import Manager, managers
from tests.integration.conftest import COLLECTIONS

_PLAYBOOK = Path(__file__).parents[2] / "playbooks/swarm.yml"
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)
_KEYS = re.compile(r"SWMTKN-|SWMKEY-")


@dataclass
class Fleet:
    """Hosts of an inventory, each with an engine of its own behind a socket of this machine."""

    root: Path
    hosts: dict[str, Client]
    variables: dict[str, dict[str, Any]]
    machines: dict[str, Manager]
    topology: list[dict[str, Any]] = field(default_factory=list)

    def play(self, *flags: str, fails: bool = False, **extra: Any) -> tuple[str, int]:
        """Run the playbook; return what it printed, and how often something changed."""
        inventory = self.root / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": self.variables}}))
        variables = {"davit_swarm_topology": self.topology, "ansible_become": False, **extra}
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory)),
                *("-e", json.dumps(variables), "--diff", str(_PLAYBOOK), *flags),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_FORKS": "6",
            },
        )
        shown = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, shown
        assert not _KEYS.search(shown)
        return shown, sum(int(changed) for _host, changed, _u, _f in _RECAP.findall(shown))

    def settled(self, *flags: str) -> None:
        """Nothing is left to do, and check mode says so, too."""
        shown, changed = self.play(*flags)
        assert changed == 0, shown

    def info(self, host: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hosts[host].get("/info").json["Swarm"]
        return found

    def nodes(self, manager: str) -> dict[str, tuple[str, str]]:
        """Role and availability of a swarm's nodes, by the host that each is."""
        ids = {self.info(host)["NodeID"]: host for host in self.hosts}
        return {
            ids.get(node["ID"], node["ID"]): (node["Spec"]["Role"], node["Spec"]["Availability"])
            for node in self.hosts[manager].get("/nodes").json
        }

    def managers(self, manager: str) -> set[str]:
        return {host for host, (role, _a) in self.nodes(manager).items() if role == "manager"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with managers(3) as machines, new_davitd() as worker:
        for machine in machines:
            assert machine.client.post("/swarm/leave", force=True).status == 200
        names = dict(zip(("m1", "m2", "m3"), machines, strict=True))
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        sockets = {**{name: item.socket for name, item in names.items()}, "w1": worker.socket}
        variables: dict[str, dict[str, Any]] = {
            name: {**common, "davit_swarm_engine": {"engine_host": f"unix://{path}"}}
            for name, path in sockets.items()
        }
        for name, machine in names.items():
            variables[name]["davit_swarm_advertise_addr"] = machine.address
        variables["w1"]["davit_swarm_advertise_addr"] = machines[0].host
        clients = {name: Client(path, "v1.41") for name, path in sockets.items()}
        yield Fleet(tmp_path_factory.mktemp("fleet"), clients, variables, names)


def test_hosts_that_do_not_answer(tmp_path: Path) -> None:
    """A manager is an error, a worker waits; neither ends the play as if all were well."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    closed = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    variables = {"m1": {**local, "davit_swarm_engine": {"engine_host": f"unix://{tmp_path}/s"}}}
    fleet = Fleet(tmp_path, {}, {**variables, "x": closed}, {})
    fleet.topology = [{"name": "shop", "managers": ["m1", "x"]}]
    shown, _changed = fleet.play("--check", fails=True)
    assert "managers do not answer: x (" in shown
    # Not even among the play's hosts, the manager has its steps.
    fleet.topology = [{"name": "shop", "managers": ["m1"], "workers": ["x"]}]
    shown, _changed = fleet.play("--check", "--limit", "x", fails=True)
    assert "begin m1" in shown
    assert "This host did not answer" in shown


@pytest.mark.timeout(600)
def test_a_life_of_swarms(fleet: Fleet) -> None:
    """Each change of the topology is one run; they build on each other, as engines are dear."""
    shop: dict[str, Any] = {"name": "shop", "managers": ["m1"], "workers": ["w1"]}
    shop["task_history_limit"] = 2
    fleet.topology = [shop]
    fleet.variables["w1"].update(
        davit_swarm_labels={"disk": "nvme"}, davit_swarm_availability="pause"
    )

    # Before there is anything, check mode foretells it all.
    shown, changed = fleet.play("--check")
    assert changed >= 3, shown
    assert "begin m1" in shown
    assert fleet.info("m1")["LocalNodeState"] == "inactive"
    fleet.play()
    assert fleet.nodes("m1") == {"m1": ("manager", "active"), "w1": ("worker", "pause")}
    labels = [node["Spec"]["Labels"].get("disk") for node in fleet.hosts["m1"].get("/nodes").json]
    assert sorted(labels, key=str) == [None, "nvme"]
    fleet.settled()

    # From one manager to three.
    shop["managers"] = ["m1", "m2", "m3"]
    fleet.play()
    assert fleet.managers("m3") == {"m1", "m2", "m3"}
    fleet.settled("--check")

    # One manager is replaced, another begins a swarm of its own, and the worker goes over to that.
    mill: dict[str, Any] = {"name": "mill", "managers": ["m2"], "workers": ["w1"]}
    shop.update(managers=["m3"], workers=["m1"])
    fleet.topology = [shop, mill]
    fleet.play()
    assert fleet.managers("m3") == {"m3"}
    assert fleet.nodes("m3").keys() == {"m1", "m3"}
    assert fleet.nodes("m2").keys() == {"m2", "w1"}
    fleet.settled()

    # All ends.
    shop["state"] = mill["state"] = "absent"
    fleet.play()
    assert {fleet.info(host)["LocalNodeState"] for host in fleet.hosts} == {"inactive"}
    fleet.settled("--check")
