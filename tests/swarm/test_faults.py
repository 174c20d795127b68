"""What breaks in a swarm, and what an operator sees of it."""

from __future__ import annotations

from tests.swarm.conftest import Host, Swarm, wait_for

# What a worker needs of the managers.
_CUT = """
add table inet cut
add chain inet cut in { type filter hook input priority -300; }
add chain inet cut out { type filter hook output priority -300; }
add rule inet cut in tcp sport 2377 drop
add rule inet cut out tcp dport 2377 drop
"""


_WEB = ("--env", "NODE={{.Node.Hostname}}")
_SAYS = "sh -c 'echo from $NODE; exec sleep 9000'"


def _spread(swarm: Swarm) -> dict[str, list[str]]:
    """Run one task on each worker; return their processes."""
    swarm.create("web", "--mode", "global", *_WEB, command=_SAYS)
    wait_for("one on each", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    return _processes(swarm)


def _lines(swarm: Swarm) -> list[str]:
    return sorted(swarm.docker("service", "logs", "--raw", "web").splitlines())


def _check_unharmed(swarm: Swarm, before: dict[str, list[str]]) -> None:
    """The tasks are those from before, and a manager tells them and their logs."""
    wait_for("they are known", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    assert _processes(swarm) == before, swarm.history("web")
    assert len(swarm.history("web")) == 2
    wait_for("their logs are there", lambda: _lines(swarm) == ["from w1", "from w2"])


def _processes(swarm: Swarm) -> dict[str, list[str]]:
    return {worker.name: worker.processes("sleep 9000") for worker in swarm.workers}


def test_davitd_is_killed(swarm: Swarm) -> None:
    before = _spread(swarm)
    worker = swarm.workers[0]
    worker.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "davit")
    swarm.create("next", "--constraint", "node.hostname==w1", command="sleep 9001")
    wait_for("it gets new tasks", lambda: swarm.running("next") == {"w1": 1})
    _check_unharmed(swarm, before)


def test_a_monitor_is_killed(swarm: Swarm) -> None:
    before = _spread(swarm)["w1"]
    worker = swarm.workers[0]
    worker.run("pkill", "-KILL", "conmon")
    wait_for("it is told", lambda: any(row[1] == "Failed" for row in swarm.history("web")))
    wait_for("another one runs", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    wait_for(
        "it alone",
        lambda: (
            len(worker.processes("sleep 9000")) == 1 and worker.processes("sleep 9000") != before
        ),
    )
    # What it had said before is not lost.
    wait_for("all have told", lambda: _lines(swarm) == ["from w1", "from w1", "from w2"])


def test_the_leader_is_killed(swarm: Swarm) -> None:
    before = _spread(swarm)
    leader = _leader(swarm)
    swarm.manager = next(one for one in swarm.managers if one is not leader)
    leader.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "docker")
    # systemd would start it again at once, and it could be elected again.
    leader.run("systemctl", "stop", "docker.socket", "docker")
    try:
        wait_for("another one leads", lambda: _leader(swarm) is not leader)
    finally:
        leader.run("systemctl", "start", "--no-block", "docker")
    swarm.create("next", command="sleep 9001")
    wait_for("it gives out tasks", lambda: sum(swarm.running("next").values()) == 1)
    _check_unharmed(swarm, before)


def test_all_managers_are_restarted(swarm: Swarm) -> None:
    before = _spread(swarm)
    for manager in swarm.managers:
        manager.run("systemctl", "stop", "docker.socket", "docker")
    for manager in swarm.managers:
        manager.run("systemctl", "start", "--no-block", "docker")
    wait_for("one leads", lambda: _leader(swarm))
    swarm.create("next", command="sleep 9001")
    wait_for("tasks are given out", lambda: sum(swarm.running("next").values()) == 1)
    _check_unharmed(swarm, before)


def test_a_worker_is_cut_off(swarm: Swarm) -> None:
    swarm.create("web", "--replicas", "2", *_WEB, command=_SAYS)
    wait_for("spread", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    worker = swarm.workers[0]
    worker.run("nft", "--file", "-", stdin=_CUT)
    try:
        wait_for("it is down", lambda: swarm.nodes()["w1"] == "Down")
        wait_for("its task runs elsewhere", lambda: swarm.running("web") == {"w2": 2})
        # It goes on with what it has.
        assert len(worker.processes("sleep 9000")) == 1
    finally:
        worker.run("nft", "delete", "table", "inet", "cut")
    wait_for("it is back", lambda: swarm.nodes()["w1"] == "Ready")
    wait_for("what was replaced is gone", lambda: not worker.processes("sleep 9000"))
    assert swarm.running("web") == {"w2": 2}
    wait_for("all have told", lambda: _lines(swarm) == ["from w1", "from w2", "from w2"])


def test_the_authority_is_replaced(swarm: Swarm) -> None:
    before = _spread(swarm)
    old = swarm.docker("swarm", "ca")
    swarm.docker("swarm", "ca", "--rotate", "--quiet", "--detach")

    def is_done() -> bool:
        nodes = [host.name for host in (*swarm.managers, *swarm.workers)]
        roots = {
            swarm.inspect("node", name)["Description"]["TLSInfo"]["TrustRoot"] for name in nodes
        }
        return len(roots) == 1 and swarm.docker("swarm", "ca") != old

    wait_for("all nodes have certificates of the new one", is_done)
    _check_unharmed(swarm, before)
    # A new connection, with what it has now.
    swarm.workers[0].run("systemctl", "restart", "davit")
    swarm.create("next", "--mode", "global", command="sleep 9001")
    wait_for("new tasks run", lambda: swarm.running("next") == {"w1": 1, "w2": 1})


def test_a_node_is_removed_and_joins_again(swarm: Swarm) -> None:
    _spread(swarm)
    worker = swarm.workers[1]
    swarm.docker("node", "rm", "--force", worker.name)
    wait_for("its tasks end", lambda: not worker.processes("sleep 9000"))
    swarm.topology.apply()
    wait_for("it has its task again", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    assert swarm.nodes()["w2"] == "Ready"
    assert len(swarm.nodes()) == 5


def _leader(swarm: Swarm) -> Host:
    leaders = [name for name, state in swarm.nodes().items() if state.endswith(" Leader")]
    assert len(leaders) == 1, "an election is going on"
    return next(host for host in swarm.managers if host.name == leaders[0])
