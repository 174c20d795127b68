"""Services of a real manager, whose tasks run on a davit worker."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.busybox import busybox_tar
from tests.engine.conftest import Davitd, new_davitd
from tests.engine.doorkit import door
from tests.engine.imagekit import Built, files, host_architecture
from tests.engine.registrykit import PASSWORD, USER, Shelf, registry
from tests.engine.swarmbed import Manager
from tests.integration.conftest import Fleet

# Short, for each update is watched that long.
_UPDATE = {"monitor": "500ms", "failure_action": "rollback"}
_SLEEP = ["sleep", "1000"]


@pytest.fixture(scope="module")
def worker(manager: Manager) -> Iterator[Davitd]:
    """The only node that runs tasks."""
    node = manager.client.get("/info").json["Swarm"]["NodeID"]
    manager.docker("node", "update", "--availability", "drain", node)
    with new_davitd("--label", "color=blue") as daemon:
        daemon.load_busybox()
        fleet = Fleet("davit", daemon.socket, daemon.client)
        joined = fleet.run("swarm", remote_addrs=[manager.address], join_token=manager.token())
        yield daemon
        fleet.run("swarm", state="absent")
    manager.docker("node", "rm", "--force", joined["node"]["id"])


@pytest.fixture
def swarm(manager: Manager, worker: Davitd) -> Iterator[Fleet]:
    """The manager as the modules see it, without services after the test."""
    fleet = Fleet("moby", manager.socket, manager.client)
    yield fleet
    for kind in ("services", "secrets", "configs"):
        for item in fleet.client.get(f"/{kind}").json:
            fleet.client.delete(f"/{kind}/{item['ID']}")
    _until(lambda: not worker.client.get("/containers/json").json)


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


def service(**options: Any) -> dict[str, Any]:
    """A declaration that is soon done."""
    return {
        "name": "web",
        "image": "busybox",
        "args": _SLEEP,
        "resolve_image": "never",
        "stop_grace_period": "0s",
        "update_config": _UPDATE,
        **options,
    }


def verbs(result: dict[str, Any]) -> list[str]:
    return [f"{action['action']} {action['name']}" for action in result["actions"]]


def spec(swarm: Fleet, name: str = "web") -> dict[str, Any]:
    return dict(swarm.client.get(f"/services/{name}").json["Spec"])


def test_scale(swarm: Fleet, manager: Manager, worker: Davitd) -> None:
    made = swarm.apply("service", **service(replicas=2))
    assert verbs(made) == ["create web"]
    assert made["service"]["replicas"] == 2
    assert len(worker.client.get("/containers/json").json) == 2
    changed = swarm.run("service", **service(replicas=3))
    assert changed["diff"][0]["after"] == {"replicas": 3}
    assert manager.states("web") == ["running"] * 3
    # Without an image it is only acted on.
    swarm.apply("service", name="web", replicas=2)
    assert spec(swarm)["Mode"] == {"Replicated": {"Replicas": 2}}
    # What has left the playbook goes back to its default; what never was in it stays.
    manager.docker("service", "update", "-d", "--env-add", "A=b", "web")
    assert swarm.apply("service", **service())["diff"][0]["after"] == {"replicas": 1}
    assert spec(swarm)["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=b"]
    gone = swarm.apply("service", name="web", state="absent")
    assert verbs(gone) == ["remove web"]
    assert worker.client.get("/containers/json").json == []


_EVERYTHING = {
    "command": "sh -c",
    "args": ["exec sleep 1000"],
    "env": {"A": "1", "PASSWORD": "hush"},
    "labels": {"tier": "front"},
    "container_labels": {"l": 1},
    "hostname": "h-{{.Task.Slot}}",
    "user": "0:0",
    "groups": ["extra"],
    "working_dir": "/tmp",
    "tty": True,
    "interactive": True,
    "read_only": True,
    "init": True,
    "stop_signal": "SIGKILL",
    "healthcheck": {"test": "true", "interval": "100ms", "timeout": "5s", "retries": 5},
    "cap_add": ["NET_ADMIN"],
    "cap_drop": ["CAP_NET_RAW"],
    "sysctls": {"kernel.msgmax": 8192},
    "ulimits": ["nofile=123:123"],
    "log_driver": "json-file",
    "log_options": {"max-size": "1m", "max-file": 2},
    "mounts": [
        {"type": "volume", "source": "vol", "target": "/data", "labels": {"a": "b"}},
        {"type": "tmpfs", "target": "/scratch", "tmpfs_size": "64k", "tmpfs_mode": "1777"},
        {"type": "bind", "source": "/usr", "target": "/srv", "read_only": True},
    ],
    "networks": ["host"],
    "published_ports": [],
    "endpoint_mode": "dnsrr",
    "dns_servers": ["10.9.8.6"],
    "dns_search_domains": ["example.org"],
    "dns_opts": ["ndots:2"],
    "etc_hosts": {"db": "10.9.8.7"},
    "mode": "replicated",
    "replicas": 1,
    "constraints": ["engine.labels.color == blue"],
    "preferences": ["node.labels.zone"],
    "max_replicas_per_node": 2,
    "limits": {"cpus": 0.5, "memory": "64M", "pids": 50},
    "reservations": {"cpus": 0.1, "memory": "16M"},
    "restart_config": {"condition": "on-failure", "delay": "1s", "max_attempts": 3, "window": "9s"},
    "update_config": {
        "parallelism": 2,
        "delay": "10ms",
        "failure_action": "continue",
        "monitor": "300ms",
        "max_failure_ratio": 0.1,
        "order": "start-first",
    },
    "rollback_config": {"parallelism": 0, "monitor": "1s", "order": "start-first"},
}


def test_every_option(swarm: Fleet, worker: Davitd) -> None:
    made = swarm.apply("service", **service(**_EVERYTHING))
    assert "hush" not in str(made["diff"])
    (task,) = worker.client.get("/containers/json").json
    host = worker.client.get(f"/containers/{task['Id']}/json").json["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 5 * 10**8, 50)
    # All at once back to what they are by default.
    changed = swarm.apply("service", **service())
    after = changed["diff"][0]["after"]
    assert set(_EVERYTHING) - set(after) <= {"mode", "replicas", "published_ports"}
    made = spec(swarm)
    assert made["Mode"] == {"Replicated": {"Replicas": 1}}
    left = {key for key, value in made["TaskTemplate"]["ContainerSpec"].items() if value}
    assert left == {"Image", "Args", "Isolation"}


def test_updates(swarm: Fleet, manager: Manager) -> None:
    declared = service(replicas=2, healthcheck={"test": "true", "interval": "100ms"})
    swarm.run("service", **declared)
    before = {task["ID"] for task in manager.tasks("web")}
    declared["env"] = {"A": "1"}
    foretold = swarm.run("service", check=True, **declared)
    assert foretold["diff"][0]["after"] == {"env": {"A": "1"}}
    assert {task["ID"] for task in manager.tasks("web")} == before
    rolled = swarm.run("service", **declared)
    assert rolled["diff"] == foretold["diff"]
    assert rolled["service"]["update"] == "completed"
    assert {task["Status"]["State"] for task in manager.tasks("web")[:2]} == {"running"}
    # All tasks anew, although nothing differs.
    forced = swarm.run("service", **declared, force=True)
    assert forced["actions"][0]["reason"] == "force is set"
    back = swarm.apply("service", name="web", rollback=True)
    assert back["service"]["update"] == "rollback_completed"
    assert spec(swarm)["TaskTemplate"].get("ForceUpdate", 0) == 0


def test_an_update_that_fails(swarm: Fleet, manager: Manager) -> None:
    swarm.run("service", **service())
    good = spec(swarm)
    failing = service(args=["sh", "-c", "exit 7"], restart_config={"delay": "0s"})
    failed = swarm.run("service", fails=True, **failing)
    assert "service web: its update failed and was rolled back" in failed["msg"]
    assert "failed: task: non-zero exit (7)" in failed["msg"]
    assert failed["changed"]
    assert failed["failed_tasks"][0]["node"]
    assert spec(swarm) == good
    assert not swarm.run("service", **service())["changed"]
    # Without a way back it stops, and stays so until it is changed again.
    failing["update_config"] = {**_UPDATE, "failure_action": "pause"}
    failed = swarm.run("service", fails=True, **failing)
    assert "its update has stopped: update paused due to failure" in failed["msg"]
    failed = swarm.run("service", fails=True, **failing)
    assert "its update has stopped" in failed["msg"]
    assert not failed["changed"]
    swarm.apply("service", **service())


def test_tasks_that_do_not_come_up(swarm: Fleet) -> None:
    nowhere = swarm.run(
        "service", fails=True, wait_timeout=2, **service(constraints=["node.role==x"])
    )
    assert "0 of 1 tasks run after 2 s" in nowhere["msg"]
    assert "no suitable node" in nowhere["msg"]
    once = service(name="two", image="absent:1", restart_config={"condition": "none"})
    refused = swarm.run("service", fails=True, **once)
    assert "0 of 1 tasks run, and no other one is to run" in refused["msg"]
    assert "rejected: No such image: absent:1" in refused["msg"]


def test_what_is_told(swarm: Fleet, manager: Manager, worker: Davitd) -> None:
    none = swarm.run("service_info")
    assert (none["services"], none["missing"], none["changed"]) == ([], [], False)
    swarm.run("service", **service(published_ports=[{"target_port": 80, "mode": "host"}]))
    swarm.run("service", **service(name="bad", image="absent:1", wait=False))
    _until(lambda: "rejected" in manager.states("bad"))
    [bad, web] = swarm.run("service_info")["services"]
    assert (web["name"], web["converged"], web["progress"]) == ("web", True, "1 of 1 tasks run")
    assert web["spec"] == spec(swarm)
    assert web["endpoint"]["Ports"][0]["TargetPort"] == 80
    [task], info = web["tasks"], worker.client.get("/info").json
    assert (task["name"], task["state"], task["error"]) == ("web.1", "running", "")
    assert (task["node"], task["node_id"]) == (info["Name"], info["Swarm"]["NodeID"])
    assert task["image"].partition("@")[0] == "busybox:latest"
    assert [one["Id"] for one in worker.client.get("/containers/json").json] == [task["container"]]
    assert task["ports"][0]["PublishedPort"]
    assert not bad["converged"]
    assert bad["tasks"][-1]["state"] == "rejected"
    assert bad["tasks"][-1]["error"].startswith("No such image: absent:1")
    some = swarm.run("service_info", names=["lost", web["id"]], check=True)
    assert [one["name"] for one in some["services"]] == ["web"]
    assert some["missing"] == ["lost"]


def test_only_managers_know_services(worker: Davitd) -> None:
    refused = Fleet("davit", worker.socket, worker.client).run("service_info", fails=True)
    assert "is a worker, and only managers know the swarm's objects" in refused["msg"]


def test_global_services_and_jobs(swarm: Fleet, manager: Manager) -> None:
    made = swarm.apply("service", **service(mode="global"))
    assert manager.states("web") == ["running"]
    assert made["service"]["mode"] == "global"
    refused = swarm.run("service", fails=True, **service())
    assert "set recreate" in refused["msg"]
    remade = swarm.apply("service", **service(), recreate=True)
    assert verbs(remade) == ["recreate web"]
    job = service(name="job", args=["true"], mode="replicated-job", replicas=3, max_concurrent=2)
    job["restart_config"] = {"condition": "none"}
    del job["update_config"]
    swarm.apply("service", **job)
    assert manager.states("job").count("complete") == 3
    # Other arguments are another run of it.
    failed = swarm.run("service", fails=True, **{**job, "args": ["false"]})
    assert "tasks are complete" in failed["msg"]
    assert "failed: task: non-zero exit (1)" in failed["msg"]
    everywhere = {key: job[key] for key in job if key not in ("replicas", "max_concurrent")}
    swarm.apply("service", **{**everywhere, "name": "each", "mode": "global-job"})


def test_content_is_rotated(swarm: Fleet, worker: Davitd) -> None:
    owner = {"uid": "7", "gid": "8", "mode": "0440"}
    secret, config = {"name": "pw", "data": "one"}, {"name": "rc", "data": "one"}
    uses = {
        "secrets": [{"source": "pw", **owner}],
        "configs": [{"source": "rc", "target": "/etc/rc", **owner}],
    }
    steps = [("secret", secret), ("config", config), ("service", service(**uses))]

    def look() -> list[str]:
        (task,) = worker.client.get("/containers/json").json
        command = "for f in /run/secrets/pw /etc/rc; do stat -c '%a %u %g' $f; cat $f; echo; done"
        shown = worker.docker("exec", task["Id"], "sh", "-c", command).stdout
        return shown.decode().splitlines()

    foretold = [verbs(swarm.run(module, check=True, **options)) for module, options in steps]
    assert foretold == [["create pw_v1"], ["create rc_v1"], ["create web"]]
    done = [verbs(swarm.run(module, **options)) for module, options in steps]
    assert done == foretold
    assert look() == ["440 7 8", "one"] * 2
    # The service goes over with its content; nothing is left to do for it but to wait.
    secret.update(data="two", keep_versions=0)
    done = [verbs(swarm.run(module, **options)) for module, options in steps]
    assert done == [["create pw_v2", "update web", "remove pw_v1"], [], []]
    assert look() == ["440 7 8", "two", "440 7 8", "one"]
    # Or the service is what takes it.
    config.update(data="two", update_services=False)
    done = [verbs(swarm.run(module, **options)) for module, options in steps]
    assert done == [[], ["create rc_v2"], ["update web"]]
    assert look() == ["440 7 8", "two"] * 2
    assert not any(swarm.run(module, **options)["changed"] for module, options in steps)


def test_a_tag_is_pinned_for_all_nodes(
    swarm: Fleet, manager: Manager, worker: Davitd, tmp_path: Path
) -> None:
    """The registry wants a login, and the worker has none of its own."""
    login = {"username": USER, "password": PASSWORD, "with_registry_auth": True}
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    with registry(tmp_path, auth=True) as address, door(address, manager.namespace):
        shelf = Shelf(address, "app", {"Authorization": f"Basic {basic}"})
        first = shelf.image("1", _image("first"))
        declared = service(image=f"{shelf.name}:1", resolve_image="changed", **login)
        made = swarm.apply("service", **declared)
        assert made["service"]["image"] == f"{shelf.name}:1@{first}"
        template = spec(swarm)["TaskTemplate"]
        assert template["Placement"]["Platforms"] == [
            {"Architecture": host_architecture(), "OS": "linux"}
        ]
        # The tag means another image now: that is only looked for when it is asked for.
        second = shelf.image("1", _image("second"))
        assert not swarm.run("service", **declared)["changed"]
        moved = swarm.run("service", **{**declared, "resolve_image": "always"})
        assert moved["service"]["image"] == f"{shelf.name}:1@{second}"
        nobody = {**login, "username": None, "password": None, "login_file": f"{tmp_path}/none"}
        refused = swarm.run("service", fails=True, **{**declared, **nobody}, force=True)
        assert "there is no login for the registry" in refused["msg"]
    # Without the registry it stays as it is.
    stays = swarm.run("service", check=True, **{**declared, "resolve_image": "always"})
    assert not stays["changed"]
    assert "it stays pinned as it is" in str(stays["warnings"])


def _image(name: str) -> Built:
    layers = [busybox_tar(), files({"name": name})]
    return Built(layers, platform={"os": "linux", "architecture": host_architecture()})
