"""Playbooks on the hosts of the lab, as an operator runs them, and what is declared for them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LAB = ROOT / ".lab/test-swarm"
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+)", re.M)
_KEYS = re.compile(r"SWMTKN-|SWMKEY-")


@dataclass(frozen=True)
class Played:
    """What a run has told, and how often it has changed something, by host."""

    told: str
    changed: dict[str, int]


@dataclass
class Topology:
    """What role swarm is to make of the hosts."""

    managers: list[str]
    workers: list[str]
    labels: dict[str, dict[str, str]]
    availability: dict[str, str] = field(default_factory=dict)

    def apply(self, *flags: str) -> Played:
        """Play ``playbooks/swarm.yml`` on these hosts."""
        names = [*self.managers, *self.workers]
        shop = {"name": "bed", "managers": self.managers, "workers": self.workers}
        declared = {
            "vars": {
                # A node is down after three of these. After an election it has six to come back,
                # and SwarmKit's own pauses between two attempts add up to 13 seconds.
                "davit_swarm_topology": [{**shop, "dispatcher_heartbeat": "10s"}],
                "davit_swarm_advertise_addr": "{{ ansible_host }}",
            },
            "hosts": {
                name: {
                    "davit_swarm_labels": self.labels.get(name, {}),
                    "davit_swarm_availability": self.availability.get(name, "active"),
                }
                for name in names
            },
        }
        inventory = LAB / "topology.json"
        inventory.write_text(json.dumps({"all": declared}))
        inventories = ["--inventory", str(LAB / "inventory.yml"), "--inventory", str(inventory)]
        limit = ["--limit", ",".join(names)]
        return play(ROOT / "playbooks/swarm.yml", {}, *inventories, *limit, "--diff", *flags)


def play(playbook: Path, settings: dict[str, Any], *words: str, fails: bool = False) -> Played:
    """Run a playbook. fails: whether it has to."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORKS": "6",
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["ansible-playbook", str(playbook), "--extra-vars", json.dumps(settings), *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    told = f"{done.stdout}\n{done.stderr}"
    assert bool(done.returncode) == fails, told[-6000:]
    assert not _KEYS.search(told)
    return Played(told, {host: int(count) for host, count in _RECAP.findall(told)})
