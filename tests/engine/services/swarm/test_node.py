"""davitd as a worker of a real swarm, driven by the Docker CLI on both sides."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.engine.conftest import Davitd, new_davitd
from tests.engine.swarmbed import Manager


@pytest.fixture(scope="module")
def worker(manager: Manager) -> Iterator[Davitd]:
    """A davitd that has joined; nothing of it is left at the end."""
    with new_davitd() as davitd:
        davitd.load_busybox()
        join = ("swarm", "join", "--token", manager.token(), f"{manager.address}:2377")
        assert b"This node joined a swarm as a worker." in davitd.docker(*join).stdout
        yield davitd
        davitd.docker("swarm", "leave")
        assert davitd.client.get("/info").json["Swarm"]["LocalNodeState"] == "inactive"
        assert davitd.client.get("/containers/json", all="1").json == []


@contextlib.contextmanager
def service(manager: Manager, worker: Davitd, name: str, *flags: str) -> Iterator[str]:
    """A service on the worker only. flags: as of ``docker service create``, image and command."""
    place = ("--constraint", f"node.id=={node_id(worker)}", "--no-resolve-image")
    # Nothing in the image ends when it is told to.
    impatient = ("--detach", "--stop-grace-period", "1s")
    manager.docker("service", "create", "--name", name, *place, *impatient, *flags)
    try:
        yield name
    finally:
        manager.docker("service", "rm", name)
        until(lambda: not containers(worker, name), "its containers are removed")


def node_id(worker: Davitd) -> str:
    return str(worker.client.get("/info").json["Swarm"]["NodeID"])


def containers(worker: Davitd, name: str) -> list[str]:
    label = f'{{"label":["com.docker.swarm.service.name={name}"]}}'
    found = worker.client.get("/containers/json", all="1", filters=label).json
    return [str(container["Id"]) for container in found]


def until(condition: Callable[[], object], what: str, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def runs(manager: Manager, name: str, count: int = 1) -> None:
    until(lambda: manager.states(name).count("running") == count, f"{count} tasks of {name} run")


def test_info(manager: Manager, worker: Davitd) -> None:
    swarm = worker.client.get("/info").json["Swarm"]
    assert swarm["LocalNodeState"] == "active"
    assert swarm["NodeAddr"] == manager.host
    assert not swarm["ControlAvailable"]
    assert [one["Addr"] for one in swarm["RemoteManagers"]] == [f"{manager.address}:2377"]
    assert manager.nodes()[swarm["NodeID"]]["Status"]["State"] == "ready"
    answer = worker.client.get("/services")
    assert (answer.status, "Worker nodes can't" in answer.json["message"]) == (503, True)


def test_replicas_logs_and_scale(manager: Manager, worker: Davitd) -> None:
    with service(
        manager, worker, "web", "--replicas", "2", "busybox", "sh", "-c", "echo up; exec sleep 600"
    ) as name:
        runs(manager, name, 2)
        shown = worker.docker("ps", "--format", "{{.Names}}").stdout.decode().split()
        assert sorted(one.rpartition(".")[0] for one in shown) == ["web.1", "web.2"]
        assert manager.docker("service", "logs", "--raw", name).split() == ["up", "up"]
        manager.docker("service", "scale", "--detach", f"{name}=1")
        until(lambda: len(containers(worker, name)) == 1, "one container is left")
        runs(manager, name)


def test_failing_task_has_a_successor(manager: Manager, worker: Davitd) -> None:
    flags = ("--restart-delay", "1s", "--restart-max-attempts", "1")
    with service(manager, worker, "bad", *flags, "busybox", "sh", "-c", "exit 7") as name:
        until(lambda: manager.states(name).count("failed") == 2, "two tasks have failed")
        assert manager.tasks(name)[0]["Status"]["Err"] == "task: non-zero exit (7)"


def test_image_that_is_not_there(manager: Manager, worker: Davitd) -> None:
    flags = ("--restart-condition", "none", "127.0.0.1:9/none:1")
    with service(manager, worker, "lost", *flags) as name:
        until(lambda: manager.states(name)[:1] == ["rejected"], "the task is rejected")
        shown = manager.docker("service", "ps", "--no-trunc", "--format", "{{.Error}}", name)
        assert shown.startswith('"No such image: 127.0.0.1:9/none:1')


def test_secret_and_config(manager: Manager, worker: Davitd) -> None:
    manager.docker("config", "create", "settings", "/etc/hostname")
    manager.docker("secret", "create", "key", "/etc/hosts")
    flags = ("--secret", "source=key,target=the-key,mode=0400,uid=7", "--config", "settings")
    try:
        with service(manager, worker, "safe", *flags, "busybox", "sleep", "600") as name:
            runs(manager, name)
            [container] = containers(worker, name)
            listing = worker.docker("exec", container, "ls", "-ln", "/run/secrets/the-key").stdout
            assert listing.split()[:4:2] == [b"-r--------", b"7"]
            with open("/etc/hosts", "rb") as file:
                shown = worker.docker("exec", container, "cat", "/run/secrets/the-key").stdout
                assert shown == file.read()
            assert worker.docker("exec", container, "test", "-s", "/settings").returncode == 0
            # What it is mounted on is empty.
            assert [one.stat().st_size for one in worker.data.glob("**/the-key")] == [0]
    finally:
        manager.docker("config", "rm", "settings")
        manager.docker("secret", "rm", "key")


def test_killed_davitd_adopts_its_tasks(manager: Manager, worker: Davitd) -> None:
    with service(manager, worker, "steady", "busybox", "sleep", "600") as name:
        runs(manager, name)
        [container] = containers(worker, name)
        before = worker.client.get(f"/containers/{container}/json").json["State"]["Pid"]
        identity = node_id(worker)
        worker.kill()
        worker.start()
        until(
            lambda: worker.client.get("/info").json["Swarm"]["LocalNodeState"] == "active",
            "the session is back",
        )
        assert node_id(worker) == identity
        assert worker.client.get(f"/containers/{container}/json").json["State"]["Pid"] == before
        assert len(manager.tasks(name)) == 1
        # And it is still watched.
        worker.docker("kill", container)
        until(lambda: "failed" in manager.states(name), "its end is told")


def test_host_port(manager: Manager, worker: Davitd) -> None:
    flags = ("--publish", "mode=host,target=80", "busybox", "sleep", "600")
    with service(manager, worker, "open", *flags) as name:
        runs(manager, name)
        [port] = manager.tasks(name)[0]["Status"]["PortStatus"]["Ports"]
        [container] = containers(worker, name)
        bound = worker.client.get(f"/containers/{container}/json").json["NetworkSettings"]["Ports"]
        assert bound["80/tcp"][0]["HostPort"] == str(port["PublishedPort"])


def test_paused_drained_and_back(manager: Manager, worker: Davitd) -> None:
    with service(manager, worker, "moving", "busybox", "sleep", "600") as name:
        runs(manager, name)
        manager.docker("node", "update", "--availability", "pause", node_id(worker))
        manager.docker("service", "scale", "--detach", f"{name}=2")
        until(lambda: "pending" in manager.states(name), "another one has no place")
        assert manager.states(name).count("running") == 1
        manager.docker("service", "scale", "--detach", f"{name}=1")
        manager.docker("node", "update", "--availability", "drain", node_id(worker))
        until(lambda: "running" not in manager.states(name), "it is stopped")
        manager.docker("node", "update", "--availability", "active", node_id(worker))
        runs(manager, name)
