"""Real swarm managers (Moby) for the tests: each in a network namespace, joined by a bridge.

The test's own process and its davitd are in the machine's namespace, at the bridge's address.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engine.mobykit import Moby

_MOST_BEDS = 250


class Place:
    """A network namespace with an address.

    bed: number of the network that it is in. host: the address under which it sees this machine.
    """

    def __init__(self, bed: int, number: int) -> None:
        self.host = _host(bed)
        self.address = f"10.236.{bed}.{10 + number}"
        self._bridge = _bridge(bed)
        self.namespace = self._link = f"{self._bridge}-{number}"
        # `ip netns exec` mounts /sys anew, without cgroups.
        self.enter = ("nsenter", f"--net=/run/netns/{self.namespace}")

    def plug(self) -> None:
        _run("ip", "netns", "add", self.namespace)
        peer = ("peer", "name", "eth0", "netns", self.namespace)
        _run("ip", "link", "add", self._link, "type", "veth", *peer)
        _run("ip", "link", "set", self._link, "master", self._bridge, "up")
        for step in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", self.host),
        ):
            _run("ip", "-n", self.namespace, *step)

    def unplug(self) -> None:
        self._end_leftovers()
        # The link goes some time after its namespace, and the next places have the same names.
        for command in (
            ("ip", "link", "delete", self._link),
            ("ip", "netns", "delete", self.namespace),
        ):
            subprocess.run(command, check=False, capture_output=True)

    def _end_leftovers(self) -> None:
        """A dockerd that was killed leaves its containerd, which holds the namespace."""
        command = ["ip", "netns", "pids", self.namespace]
        for pid in subprocess.run(command, capture_output=True, text=True).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


class Manager(Moby):
    """A dockerd with a place of its own. bed, host: as of ``Place``."""

    def __init__(self, bed: int, number: int) -> None:
        self.bed = bed
        self._place = Place(bed, number)
        self.host, self.address = self._place.host, self._place.address
        self.namespace = self._place.namespace
        super().__init__(Path(tempfile.mkdtemp(prefix="moby")), self._place.enter)

    def plug(self) -> None:
        self._place.plug()

    def unplug(self) -> None:
        self._place.unplug()
        self.erase()

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Meanwhile nobody reaches it, but by its socket."""
        _run("ip", "link", "set", self.namespace, "down")
        try:
            yield
        finally:
            _run("ip", "link", "set", self.namespace, "up")

    def init(self) -> None:
        self.docker("swarm", "init", "--advertise-addr", self.address)

    def join(self, leader: Manager) -> None:
        self.docker("swarm", "join", "--token", leader.token("manager"), f"{leader.address}:2377")

    def token(self, role: str = "worker") -> str:
        return self.docker("swarm", "join-token", "-q", role)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the nodes of the swarm by ID; none while it has no leader."""
        answer = self.client.get("/nodes")
        return {node["ID"]: node for node in answer.json} if answer.status == 200 else {}

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """Return the tasks of a service, the newest first."""
        found = self.client.get("/tasks", filters=json.dumps({"service": [service]})).json
        return sorted(found, key=lambda task: str(task["CreatedAt"]), reverse=True)

    def states(self, service: str) -> list[str]:
        """Return the states of a service's tasks, that of the newest first."""
        return [str(task["Status"]["State"]) for task in self.tasks(service)]


@contextlib.contextmanager
def managers(count: int) -> Iterator[list[Manager]]:
    """A swarm with so many managers; the first one began it. Unwound in reverse."""
    with machines(count) as found:
        found[0].init()
        for manager in found[1:]:
            manager.join(found[0])
        yield found


@contextlib.contextmanager
def machines(count: int) -> Iterator[list[Manager]]:
    """So many of them on one network, in no swarm. Unwound in reverse."""
    with contextlib.ExitStack() as stack:
        bed = _take_bed()
        stack.callback(_run, "ip", "link", "delete", _bridge(bed))
        _run("ip", "address", "add", f"{_host(bed)}/24", "dev", _bridge(bed))
        _run("ip", "link", "set", _bridge(bed), "up")
        found = [Manager(bed, number) for number in range(count)]
        for manager in found:
            stack.callback(manager.unplug)
            manager.plug()
            stack.callback(manager.stop)
            manager.start()
        yield found


def _take_bed() -> int:
    """Make the first bridge that no other run of tests has made."""
    for bed in range(_MOST_BEDS):
        command = ["ip", "link", "add", _bridge(bed), "type", "bridge"]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return bed
    raise AssertionError("no bridge could be made for the managers")


def _bridge(bed: int) -> str:
    return f"dvswarm{bed}"


def _host(bed: int) -> str:
    return f"10.236.{bed}.1"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
