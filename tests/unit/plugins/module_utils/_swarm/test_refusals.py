"""Whole swarms: what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import Invalid

from .worlds import World, facts, shop


def test_a_swarm_with_others_in_it_does_not_end() -> None:
    world = World()
    nodes = world.swarm("shop", ["m1"], ["w1"])
    del world.facts["w1"]
    assert "it has nodes of other hosts" in world.refusal(shop(["m1"], state="absent"))
    nodes["w1"]["Status"]["State"] = "down"
    assert world.steps(shop(["m1"], state="absent")) == ["leave m1"]


def test_who_is_alive_is_not_dead() -> None:
    world = World()
    nodes = world.swarm("shop", ["m1", "m2", "m3"], [])
    assert "but these hosts answer" in world.refusal(shop(["m1", "m2"]), dead=["m3"])
    world.die("m3")
    assert "still reach" in world.refusal(shop(["m1", "m2"]), dead=["m3"])
    world.die("m3", nodes["m3"])
    assert world.steps(shop(["m1", "m2"]), dead=["m3"]) == ["remove m3 @m1"]
    # Its machine is there again, as a new one.
    world.facts["m3"] = facts("inactive")
    steps = ["remove m3 @m1", "join m3", "set m3 @m1"]
    assert world.steps(shop(["m1", "m2", "m3"]), dead=["m3"]) == steps


def test_the_quorum_is_kept() -> None:
    world = World("m4")
    nodes = world.swarm("shop", ["m1", "m2", "m3"], ["w1"])
    world.die("m1", nodes["m1"])
    assert "of the 2 managers that remain, 1 can be reached, and the swarm needs 2" in (
        world.refusal(shop(["m2"]))
    )
    nodes["m2"]["ManagerStatus"]["Reachability"] = "unreachable"
    growing = world.refusal(shop(["m2", "m3", "m4"]))
    assert "of the swarm's 3 managers 1 can be reached; with one more of them, 3" in growing
    both = world.refusal(shop(["m3"]), dead=["m1", "m2"])
    assert "davit_swarm_dead names m2" in both


def test_no_leader() -> None:
    world = World()
    world.swarm("shop", ["m1", "m2", "m3"], ["w1"])
    world.facts["m2"].update(cluster=None, nodes=[])
    world.die("m1")
    world.die("m3")
    refused = world.refusal(shop(["m1", "m2", "m3"], ["w1"]), dead=["m1", "m3"])
    assert "of its 3 managers 1 answer (m2), and it needs 2" in refused


def test_a_swarm_that_is_all_dead_does_not_begin_anew() -> None:
    world = World("m2")
    world.die("m1")
    assert "none of its managers answers" in world.refusal(shop(["m1", "m2"]), dead=["m1"])
    assert world.steps(shop(["m2"]), dead=["m1"]) == ["begin m2", "set m2"]


def test_strangers() -> None:
    world = World("w2")
    world.swarm("shop", ["m1"], [])
    known = [{"address": "10.9.9.9:2377"}]
    world.facts["w1"] = facts("active", role="worker", id="elsewhere", managers=known)
    refused = world.refusal(shop(["m1"], ["w1"]))
    assert "w1 (its managers are 10.9.9.9)" in refused
    assert world.steps(shop(["m1"], ["w1"]), take_over=["w1"]) == [
        "leave w1",
        "join w1",
        "set w1 @m1",
    ]
    # Nobody has declared it.
    assert world.steps(shop(["m1"])) == []
    # A worker whose swarm is not known does not have another one begun beside it.
    assert "w1 (" in World.refusal(_only(world, "w1", "w2"), shop(["w2"], ["w1"]))
    world.swarm("mill", ["n1"], [])
    assert "n1 (a manager of the swarm id-mill)" in world.refusal(shop(["m1", "n1", "w2"]))
    assert "a manager of the swarm id-mill" in world.refusal(shop(["n1"]))


def _only(world: World, *names: str) -> World:
    other = World()
    other.facts = {name: world.facts[name] for name in names}
    return other


def test_a_broken_manager_is_not_wiped() -> None:
    world = World("w1")
    world.facts["m1"] = facts("error", role="worker", id="m1", error="raft: no space left")
    assert "raft: no space left" in world.refusal(shop(["m1"], ["w1"]))


def test_managers_of_several_swarms() -> None:
    world = World()
    world.swarm("a", ["m1"], [], marked=False)
    world.swarm("b", ["m2"], [], marked=False)
    assert "several swarms (id-a, id-b)" in world.refusal(shop(["m1", "m2"]))
    steps = world.steps(shop(["m1", "m2"], id="id-a"), take_over=["m2"])
    assert steps[:2] == ["leave m2", "change its settings @m1"]
    assert "id-c" in world.refusal(shop(["m1"], id="id-c"))
    mill = {"name": "mill", "managers": ["m1"]}
    assert "both mill and shop" in world.refusal(shop(["m1"], state="absent"), mill)


def test_davit_is_no_manager() -> None:
    world = World("m1")
    world.facts["m1"]["node"]["engine"] = "davit"
    assert "m1 cannot be a manager" in world.refusal(shop(["m1"]))


def test_an_address_is_for_life() -> None:
    world = World(m1={"advertise_addr": "10.0.0.9:2377"})
    world.swarm("shop", ["m1"], [])
    world.facts["m1"]["node"]["address"] = "10.0.0.2"
    assert "known by the address 10.0.0.2, not 10.0.0.9" in world.refusal(shop(["m1"]))
    world.local["m1"]["advertise_addr"] = "eth0"
    assert world.steps(shop(["m1"])) == []


@pytest.mark.parametrize(
    ("swarms", "why"),
    [
        ([shop([])], "it has no managers"),
        ([shop(["m1"]), shop(["w1"])], "two swarms named shop"),
        ([shop(["m1"], ["m1"])], "declared twice: manager of shop, worker of shop"),
        ([shop(["m1", "m9"])], "host m9 is not in the inventory"),
        ([shop(["m1"], node_cert_expiry="soon")], "node_cert_expiry"),
    ],
)
def test_a_topology_that_cannot_be(swarms: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        World("m1", "w1").plan(*swarms)
