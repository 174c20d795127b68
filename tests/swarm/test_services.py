"""Services on davit workers, as an operator at a manager sees them."""

from __future__ import annotations

import pytest

from tests.swarm.conftest import Host, Swarm, wait_for


def test_the_nodes_are_what_they_were_declared_to_be(swarm: Swarm) -> None:
    nodes = swarm.nodes()
    assert sorted(nodes.values()) == ["Ready", "Ready", "Ready Leader"] + 2 * ["Ready Reachable"]
    for worker in swarm.workers:
        found = swarm.inspect("node", worker.name)
        assert found["Description"]["Engine"]["EngineVersion"].startswith("davit-")
        assert found["Status"]["Addr"] == worker.address


def test_placed_by_constraint_and_spread_and_scaled(swarm: Swarm) -> None:
    swarm.create("spread", "--replicas", "4", "--placement-pref", "spread=node.labels.zone")
    swarm.create("fixed", "--replicas", "2", "--constraint", "node.labels.zone==b")
    wait_for("spread", lambda: swarm.running("spread") == {"w1": 2, "w2": 2})
    wait_for("all where the label is", lambda: swarm.running("fixed") == {"w2": 2})
    swarm.docker("service", "scale", "--detach", "spread=6", "fixed=1")
    wait_for("scaled up", lambda: swarm.running("spread") == {"w1": 3, "w2": 3})
    wait_for("scaled down", lambda: swarm.running("fixed") == {"w2": 1})
    swarm.docker("service", "scale", "--detach", "spread=0")
    wait_for("none", lambda: not swarm.running("spread"))


def test_a_rolling_update_and_one_that_fails(swarm: Swarm) -> None:
    swarm.create(
        *("web", "--replicas", "2", "--env", "VERSION=1"),
        *("--update-order", "start-first", "--update-monitor", "3s", "--rollback-monitor", "1s"),
        *("--update-failure-action", "rollback"),
    )
    wait_for("the first version", lambda: swarm.running("web") == {"w1": 1, "w2": 1})

    def state() -> str:
        return str(swarm.inspect("service", "web").get("UpdateStatus", {}).get("State"))

    swarm.update("web", "--env-add", "VERSION=2")
    wait_for("updated", lambda: state() == "completed")
    assert sum(swarm.running("web").values()) == 2
    swarm.update("web", "--env-add", "VERSION=3", "--args", "cat /there/is/none")
    wait_for("rolled back", lambda: state() == "rollback_completed")
    spec = swarm.inspect("service", "web")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert spec["Env"] == ["VERSION=2"]
    wait_for("the second version runs", lambda: sum(swarm.running("web").values()) == 2)
    # And the operator learns why.
    assert any("non-zero exit (1)" in error for _, _, error in swarm.history("web"))
    swarm.update("web", "--env-add", "VERSION=4")
    wait_for("updated again", lambda: state() == "completed")
    swarm.docker("service", "rollback", "--detach", "web")
    wait_for("rolled back by hand", lambda: state() == "rollback_completed")
    spec = swarm.inspect("service", "web")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert spec["Env"] == ["VERSION=2"]


def test_global_services_and_jobs(swarm: Swarm) -> None:
    swarm.create("everywhere", "--mode", "global")
    wait_for("one on each", lambda: swarm.running("everywhere") == {"w1": 1, "w2": 1})
    swarm.create(
        *("job", "--mode", "replicated-job", "--replicas", "4", "--max-concurrent", "2"),
        command="sh -c 'echo done'",
    )
    wait_for(
        "four have ended", lambda: [row[1] for row in swarm.history("job")] == 4 * ["Complete"]
    )
    swarm.create("each", "--mode", "global-job", command="sh -c 'echo done'")
    ended = [("w1", "Complete"), ("w2", "Complete")]
    wait_for("one on each", lambda: sorted(row[:2] for row in swarm.history("each")) == ended)


def test_drained_and_back(swarm: Swarm) -> None:
    swarm.create("web", "--replicas", "2")
    wait_for("spread", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    swarm.docker("node", "update", "--availability", "drain", "w1")
    wait_for("moved", lambda: swarm.running("web") == {"w2": 2})
    wait_for("none is left there", lambda: not swarm.workers[0].processes("sleep 9000"))
    swarm.docker("node", "update", "--availability", "active", "w1")
    swarm.docker("service", "scale", "--detach", "web=4")
    wait_for("used again", lambda: swarm.running("web") == {"w1": 2, "w2": 2})


def test_secrets_and_configs(swarm: Swarm) -> None:
    swarm.docker("secret", "create", "key-1", "-", stdin="first")
    swarm.docker("secret", "create", "key-2", "-", stdin="second")
    swarm.docker("config", "create", "conf-1", "-", stdin="level=1")
    swarm.docker("config", "create", "conf-2", "-", stdin="level=2")
    show = (
        "ls -ln /run/secrets/key; cat /run/secrets/key; echo; ls -ln /etc/conf; cat /etc/conf; echo"
    )
    swarm.create(
        *("web", "--secret", "source=key-1,target=key,uid=1000,gid=1001,mode=0440"),
        *("--config", "source=conf-1,target=/etc/conf,uid=7,mode=0404"),
        command=f"sh -c '{show}; exec sleep 9000'",
    )

    def told() -> list[list[str]]:
        lines = swarm.docker("service", "logs", "--raw", "web").splitlines()
        return [line.split() for line in lines]

    wait_for("it has told", lambda: len(told()) == 4)
    key, first, conf, level = told()
    assert (key[0], *key[2:4]) == ("-r--r-----", "1000", "1001")
    assert (conf[0], conf[2]) == ("-r-----r--", "7")
    assert (first, level) == (["first"], ["level=1"])
    swarm.update(
        *("web", "--secret-rm", "key-1"),
        *("--secret-add", "source=key-2,target=key,uid=1000,gid=1001,mode=0440"),
        *("--config-rm", "conf-1"),
        *("--config-add", "source=conf-2,target=/etc/conf,uid=7,mode=0404"),
    )
    wait_for("rotated", lambda: all([line] in told() for line in ("second", "level=2")))
    wait_for("it runs", lambda: sum(swarm.running("web").values()) == 1)


@pytest.mark.parametrize("asked", [0, 1])
def test_logs(swarm: Swarm, asked: int) -> None:
    swarm.manager = swarm.managers[asked]
    swarm.create(
        "talker",
        *("--replicas", "2", "--env", "NODE={{.Node.Hostname}}"),
        command="sh -c 'echo out $NODE; echo err $NODE >&2; exec sleep 9000'",
    )
    wait_for("they run", lambda: swarm.running("talker") == {"w1": 1, "w2": 1})
    expected = [f"{stream} {node}" for stream in ("err", "out") for node in ("w1", "w2")]

    def lines() -> list[str]:
        shown = swarm.manager.run(
            *("sh", "-c", "docker service logs --raw talker 2>&1"),
        )
        return sorted(shown.splitlines())

    wait_for("all have come", lambda: lines() == expected)
    task = swarm.docker("service", "ps", "--quiet", "--filter", "node=w1", "talker")
    assert swarm.docker("service", "logs", "--raw", task) == "out w1"


def test_ports_of_the_host(swarm: Swarm) -> None:
    swarm.create(
        *("web", "--mode", "global", "--publish", "mode=host,published=8099,target=8099"),
        command="sh -c 'while true; do echo here | nc -l -p 8099; done'",
    )
    wait_for("one on each", lambda: swarm.running("web") == {"w1": 1, "w2": 1})

    def answer(worker: Host) -> str:
        ask = "import socket, sys; print(socket.create_connection((sys.argv[1], 8099), 5).recv(9))"
        return swarm.manager.run("python3", "-c", ask, worker.address)

    for worker in swarm.workers:
        wait_for("it answers", lambda worker=worker: answer(worker) == "b'here\\n'")


def test_a_task_that_cannot_run_says_why(swarm: Swarm) -> None:
    swarm.create("none", "--restart-condition", "none", command="/no/such/program")
    swarm.docker(
        *("service", "create", "--quiet", "--detach", "--no-resolve-image", "--name", "unknown"),
        *("--constraint", "node.role==worker", "--restart-condition", "none", "localhost/none:1"),
    )
    wait_for("rejected", lambda: swarm.history("unknown")[0][1] == "Rejected")
    assert "localhost/none:1" in swarm.history("unknown")[0][2]
    wait_for("failed", lambda: swarm.history("none")[0][1] in ("Failed", "Rejected"))
    assert "/no/such/program" in swarm.history("none")[0][2]
