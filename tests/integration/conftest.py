"""Fixtures of the behaviour suite: the real modules against davit and against Moby."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.busybox import load_busybox
from tests.engine.client import Client
from tests.engine.conftest import new_davitd
from tests.engine.mobykit import new_moby
from tests.engine.swarmbed import Manager, managers

# Runs a module as Ansible does on the host, without the packing.
_RUN = """
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
runpy.run_module("ansible_collections.davit.fleet.plugins.modules." + sys.argv[1],
                 run_name="__main__")
"""
COLLECTIONS = Path(__file__).parents[2] / ".ansible/collections"


@dataclass(frozen=True)
class Fleet:
    """An engine, and the modules that act on it."""

    flavor: str
    socket: Path
    client: Client

    def run(
        self, module: str, *, check: bool = False, fails: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Run a module; return what it returned. fails: whether it has to."""
        arguments = {
            "engine_host": f"unix://{self.socket}",
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_remote_tmp": tempfile.gettempdir(),
            **options,
        }
        done = subprocess.run(
            [sys.executable, "-c", _RUN, module],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            timeout=120,
        )
        try:
            result: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{done.stdout.decode()}\n{done.stderr.decode()}") from None
        assert bool(result.get("failed")) == fails, result.get("msg", result)
        return result

    def apply(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module for a change: check mode has to foretell it, and nothing may be left to do.

        Returns what the run itself returned.
        """
        foretold = self.run(module, check=True, **options)
        result = self.run(module, **options)
        assert foretold["actions"] == result["actions"]
        assert foretold["diff"] == result["diff"]
        assert foretold["changed"] == result["changed"]
        again = self.run(module, **options)
        assert not again["changed"], again["diff"]
        return result

    def inspect(self, name: str) -> dict[str, Any]:
        answer = self.client.get(f"/containers/{name}/json")
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json
        return found

    def names(self) -> set[str]:
        """Names of all containers."""
        listed = self.client.get("/containers/json", all=True).json
        return {name.lstrip("/") for item in listed for name in item["Names"]}

    def id(self, name: str) -> str:
        return str(self.inspect(name)["Id"])

    def empty(self) -> None:
        """Remove what a test has made, but for the image busybox."""
        for item in self.client.get("/containers/json", all=True).json:
            self.client.delete(f"/containers/{item['Id']}", force=True, v=True)
        for item in self.client.get("/networks").json:
            if item["Name"] not in ("bridge", "host", "none"):
                self.client.delete(f"/networks/{item['Id']}")
        for item in self.client.get("/volumes").json["Volumes"] or []:
            self.client.delete(f"/volumes/{item['Name']}")


def play(
    fleet: Fleet, path: Path, module: str, task: dict[str, Any], *flags: str
) -> dict[str, Any]:
    """Run a task in a playbook, ``path``: with the action plugin on the controller.

    Return its result, and what Ansible has printed as ``shown``.
    """
    task = {**task, "engine_host": f"unix://{fleet.socket}"}
    result = path.with_suffix(".result")
    tasks = [
        {f"davit.fleet.{module}": task, "register": "done"},
        {
            "ansible.builtin.copy": {"content": "{{ done }}", "dest": str(result)},
            "check_mode": False,
        },
    ]
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    variables = {
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": str(path.with_suffix(".tmp")),
    }
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,"),
            *("-c", "local", "-e", json.dumps(variables), str(path), *flags),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {**json.loads(result.read_text()), "shown": done.stdout}


@pytest.fixture(scope="session", params=["davit", "moby"])
def engine(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """One engine of each flavor for the whole session."""
    start: Callable[[], contextlib.AbstractContextManager[Path]]
    start = _davit if request.param == "davit" else _moby
    with start() as socket:
        fleet = Fleet(request.param, socket, Client(socket, "v1.41"))
        load_busybox(fleet.client)
        yield fleet


@pytest.fixture
def fleet(engine: Fleet) -> Iterator[Fleet]:
    """The engine, empty again after the test."""
    yield engine
    engine.empty()


@pytest.fixture(scope="session")
def machines() -> Iterator[list[Manager]]:
    """Two hosts for all tests of swarms: what they are in is another thing in each module."""
    with managers(2) as both:
        both[1].load_busybox()
        yield both


@pytest.fixture(scope="module")
def manager(machines: list[Manager]) -> Manager:
    """The manager of a new swarm of one."""
    for machine in machines:
        machine.client.post("/swarm/leave", force=True)
    machines[0].init()
    return machines[0]


@contextlib.contextmanager
def _davit() -> Iterator[Path]:
    with new_davitd() as daemon:
        yield daemon.socket


@contextlib.contextmanager
def _moby() -> Iterator[Path]:
    with new_moby() as daemon:
        yield daemon.socket
