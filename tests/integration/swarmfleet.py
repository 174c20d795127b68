"""Hosts of an inventory, for the role swarm: real engines, and the real playbook."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.client import Client
from tests.engine.conftest import new_davitd
from tests.engine.swarmbed import Manager, machines
from tests.integration.conftest import COLLECTIONS

_PLAYBOOK = Path(__file__).parents[2] / "playbooks/swarm.yml"
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)
_STEP = re.compile(r"^TASK \[davit\.fleet\.swarm : Take steps? (.*)\] \**$", re.M)
_KEYS = re.compile(r"SWMTKN-|SWMKEY-")
_PATIENCE = 60
# A host that cannot be reached.
CLOSED = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@dataclass
class Fleet:
    """Hosts, each with an engine of its own behind a socket of this machine."""

    root: Path
    hosts: dict[str, Client]
    variables: dict[str, dict[str, Any]]
    machines: dict[str, Manager]
    topology: list[dict[str, Any]] = field(default_factory=list)

    def play(self, *flags: str, fails: bool = False, **extra: Any) -> tuple[str, int]:
        """Run the playbook; return what it printed, and how often something changed.

        It tells as much as it can be asked for, and neither that nor its log may have a key.
        """
        inventory, given, log = (self.root / name for name in ("hosts.json", "given.json", "log"))
        inventory.write_text(json.dumps({"all": {"hosts": self.variables}}))
        variables = {"davit_swarm_topology": self.topology, "ansible_become": False, **extra}
        given.write_text(json.dumps(variables))
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory)),
                *("-e", f"@{given}", "--diff", "-vvv", str(_PLAYBOOK), *flags),
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
                "ANSIBLE_LOG_PATH": str(log),
            },
        )
        shown = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, shown
        assert log.stat().st_size
        assert not _KEYS.search(shown)
        assert not _KEYS.search(log.read_text())
        log.unlink()
        return shown, sum(int(changed) for _host, changed, _u, _f in _RECAP.findall(shown))

    def change(self, *, later: bool = False, **extra: Any) -> list[str]:
        """Run it for a change, and return the steps, as ``SWARM: VERB HOST``.

        Check mode has to foretell them, and to change nothing. later: whether some of them only
        show when others have been taken.
        """
        before = self.state()
        foretold, expected = self.play("--check", **extra)
        assert self.state() == before
        done, changed = self.play(**extra)
        steps = _STEP.findall(done)
        assert expected, foretold
        assert changed, done
        if later:
            assert set(_STEP.findall(foretold)) <= set(steps), foretold + done
        else:
            assert sorted(_STEP.findall(foretold)) == sorted(steps), foretold + done
        return steps

    def refuse(self, **extra: Any) -> str:
        """The play has to fail, and to change nothing; returns what it printed."""
        before = self.state()
        shown, changed = self.play(fails=True, **extra)
        assert not changed
        assert self.state() == before
        return shown

    def settle(self, *flags: str, **extra: Any) -> None:
        """Nothing is left to do."""
        shown, changed = self.play(*flags, **extra)
        assert changed == 0, shown

    def info(self, host: str) -> dict[str, Any]:
        found: dict[str, Any] = self.hosts[host].get("/info").json["Swarm"]
        return found

    def nodes(self, manager: str) -> dict[str, tuple[str, str]]:
        """Role and availability of a swarm's nodes, by the host that each is, or by ID."""
        ids = {self.info(host)["NodeID"]: host for host in self.hosts if self.runs(host)}
        return {
            ids.get(node["ID"], node["ID"]): (node["Spec"]["Role"], node["Spec"]["Availability"])
            for node in self.hosts[manager].get("/nodes").json
        }

    def managers(self, manager: str) -> set[str]:
        return {host for host, (role, _a) in self.nodes(manager).items() if role == "manager"}

    def keys(self, manager: str) -> dict[str, str]:
        """Tokens and unlock key."""
        engine = self.hosts[manager]
        return {
            **engine.get("/swarm").json["JoinTokens"],
            "Unlock": engine.get("/swarm/unlockkey").json["UnlockKey"],
        }

    def runs(self, host: str) -> bool:
        machine = self.machines.get(host)
        return machine is None or machine.process is not None

    def state(self) -> dict[str, Any]:
        """What a change of the swarms would alter."""
        found = {}
        for host, engine in self.hosts.items():
            if not self.runs(host):
                continue
            own = self.info(host)
            swarm, nodes = engine.get("/swarm"), engine.get("/nodes")
            found[host] = (
                *(own["LocalNodeState"], own["NodeID"], own["ControlAvailable"]),
                (swarm.json["ID"], swarm.json["Spec"], swarm.json["JoinTokens"])
                if swarm.status == 200
                else (),
                {node["ID"]: node["Spec"] for node in nodes.json} if nodes.status == 200 else {},
            )
        return found

    def form(
        self, name: str, managers: Sequence[str], workers: Sequence[str] = (), **spec: Any
    ) -> dict[str, Any]:
        """Make a swarm without the role, as the role would have left it; return its declaration.

        spec: of the swarm, as the API has it.
        """
        first, *others = managers
        # Times in which an end is noticed soon.
        spec = {"Dispatcher": {"HeartbeatPeriod": 10**9}, "Raft": {"ElectionTick": 3}, **spec}
        body = {
            **_addresses(self.variables[first]),
            "Spec": {"Labels": _mark("swarm", name), **spec},
        }
        _post(self.hosts[first], "/swarm/init", body)
        tokens = self.keys(first)
        way = [f"{self.machines[first].address}:2377"]
        for host in (*others, *workers):
            token = tokens["Manager" if host in others else "Worker"]
            body = {**_addresses(self.variables[host]), "RemoteAddrs": way, "JoinToken": token}
            _post(self.hosts[host], "/swarm/join", body)
        for host in (*managers, *workers):
            path = f"/nodes/{self.info(host)['NodeID']}"
            node = self.hosts[first].get(path).json
            labels = {**node["Spec"], "Labels": _mark("host", host)}
            version = node["Version"]["Index"]
            _post(self.hosts[first], f"{path}/update", labels, version=version)
        return {"name": name, "managers": list(managers), "workers": list(workers)}

    def restart(self, host: str) -> None:
        """Without the time that a manager takes to end in order."""
        self.machines[host].kill()
        self.machines[host].start()

    def reinstall(self, host: str) -> None:
        """Make it a machine without a past; it is not running."""
        shutil.rmtree(self.machines[host].root / "data/swarm")
        self.machines[host].start()

    def reset(self) -> None:
        """All engines run, and are in no swarm."""
        # The worker first, while its managers are there.
        for host, engine in reversed(self.hosts.items()):
            if not self.runs(host):
                self.reinstall(host)
            elif self.info(host)["LocalNodeState"] == "inactive":
                continue
            elif host in self.machines:
                # To leave takes a manager without a quorum many seconds.
                self.machines[host].kill()
                self.reinstall(host)
            else:
                _post(engine, "/swarm/leave", None, force=True)
        self.topology = []


@contextlib.contextmanager
def fleet_of_four(root: Path) -> Iterator[Fleet]:
    """``m1``, ``m2`` and ``m3`` with Moby, and ``w1`` with davit."""
    with machines(3) as found, new_davitd() as worker:
        names = dict(zip(("m1", "m2", "m3"), found, strict=True))
        sockets = {**{name: item.socket for name, item in names.items()}, "w1": worker.socket}
        addresses = {**{name: item.address for name, item in names.items()}, "w1": found[0].host}
        variables: dict[str, dict[str, Any]] = {
            name: {
                **LOCAL,
                "davit_swarm_engine": {"engine_host": f"unix://{path}"},
                "davit_swarm_advertise_addr": addresses[name],
            }
            for name, path in sockets.items()
        }
        clients = {name: Client(path, "v1.41") for name, path in sockets.items()}
        yield Fleet(root, clients, variables, names)


def until(reached: Callable[[], bool]) -> bool:
    """Wait until it is so; False when it is not after a minute."""
    end = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _addresses(variables: dict[str, Any]) -> dict[str, str]:
    return {"AdvertiseAddr": variables["davit_swarm_advertise_addr"], "ListenAddr": "0.0.0.0:2377"}


def _mark(what: str, name: str) -> dict[str, str]:
    return {f"net.davit.{what}": name}


def _post(engine: Client, path: str, body: Any, **query: Any) -> None:
    answer = engine.post(path, body, **query)
    assert answer.status in (200, 204), f"{path}: {answer.status} {answer.body!r}"
