"""Role swarm over SSH: foretold, made, left alone, changed and changed back."""

from __future__ import annotations

import dataclasses
import re

from tests.swarm.conftest import Swarm, wait_for
from tests.swarm.plays import Played


def _changes(played: Played) -> int:
    return sum(played.changed.values())


def test_the_first_run_is_foretold(swarm: Swarm) -> None:
    told = swarm.foretold.told
    for step in ("begin m1", "join m2", "join m3", "join w1, w2", "set m1, m2, m3, w1, w2"):
        assert f"bed: {step}" in told
    assert _changes(swarm.foretold) > 5
    assert not swarm.begun_by_that


def test_a_second_run_changes_nothing(swarm: Swarm) -> None:
    nothing = dict.fromkeys(("m1", "m2", "m3", "w1", "w2"), 0)
    assert swarm.topology.apply().changed == nothing
    assert swarm.topology.apply("--check").changed == nothing


def test_changed_and_changed_back(swarm: Swarm) -> None:
    """A manager less, and a worker without tasks, in one run each way."""
    swarm.create("web", "--replicas", "2")
    wait_for("spread", lambda: swarm.running("web") == {"w1": 1, "w2": 1})
    other = dataclasses.replace(
        swarm.topology,
        managers=["m1", "m2"],
        workers=["w1", "w2", "m3"],
        labels={**swarm.topology.labels, "w1": {"zone": "a", "disk": "nvme"}},
        # m3 has no image of the service.
        availability={"w1": "drain", "m3": "drain"},
    )
    before = [swarm.inspect("node", name)["Version"] for name in ("m1", "m2", "m3", "w1", "w2")]
    foretold = other.apply("--check")
    assert "demote m3" in foretold.told
    assert re.search(r"^\+ +disk: nvme$", foretold.told, re.M)
    assert _changes(foretold) > 1
    after = [swarm.inspect("node", name)["Version"] for name in ("m1", "m2", "m3", "w1", "w2")]
    assert after == before
    assert swarm.running("web") == {"w1": 1, "w2": 1}

    assert _changes(other.apply()) > 1
    # A demoted one begins a session with a certificate of its new role.
    wait_for("m3 is a worker", lambda: swarm.nodes()["m3"] == "Ready")
    assert not swarm.workers[0].processes("sleep 9000")
    assert swarm.inspect("node", "w1")["Spec"]["Labels"]["disk"] == "nvme"
    wait_for("moved", lambda: swarm.running("web") == {"w2": 2})
    assert _changes(other.apply("--check")) == 0

    assert _changes(swarm.topology.apply()) > 1
    wait_for("m3 is a manager", lambda: swarm.nodes()["m3"].startswith("Ready "))
    assert "disk" not in swarm.inspect("node", "w1")["Spec"]["Labels"]
    swarm.docker("service", "scale", "--detach", "web=4")
    wait_for("used again", lambda: swarm.running("web") == {"w1": 2, "w2": 2})
