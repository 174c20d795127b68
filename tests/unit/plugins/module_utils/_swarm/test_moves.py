"""Whole swarms: which steps, in which order."""

from __future__ import annotations

from ansible_collections.davit.fleet.plugins.module_utils._swarm import topology

from .worlds import World, facts, shop


def test_a_new_swarm() -> None:
    world = World("m1", "m2", "m3", "w1", "w2")
    plan = world.plan(shop(["m1", "m2", "m3"], ["w1", "w2"], autolock=True))
    assert world.steps(shop(["m1", "m2", "m3"], ["w1", "w2"])) == [
        "begin m1",
        "join m2",
        "join m3",
        "join w1, join w2",
        "set m1, set m2 @m1, set m3 @m1, set w1 @m1, set w2 @m1",
    ]
    begin, join = plan.waves[0][0], plan.waves[1][0]
    assert begin.options["autolock"] is True
    assert begin.options["labels"] == {topology.SWARM_MARK: "shop"}
    assert (join.secret, join.source) == ("manager", "m1")
    assert {step.secret for step in plan.waves[3]} == {"worker"}
    # Labels need the new nodes' IDs, which show after the joins.
    assert plan.again
    assert all(step.later for step in plan.waves[4])


def test_nothing_to_do() -> None:
    world = World()
    world.swarm("shop", ["m1", "m2", "m3"], ["w1"])
    plan = world.plan(shop(["m1", "m2", "m3"], ["w1"]))
    assert (plan.waves, plan.again, plan.notes) == ([], False, [])


def test_a_swarm_that_is_there_is_adopted_with_its_labels() -> None:
    world = World(w1={"labels": {"disk": "nvme"}, "availability": "pause"})
    nodes = world.swarm("shop", ["m1"], ["w1"], marked=False)
    nodes["m1"]["Spec"]["Labels"] = {"zone": "a"}
    plan = world.plan(shop(["m1"], ["w1"]))
    assert [step.verb for wave in plan.waves for step in wave] == ["change", "set", "set"]
    first, second = plan.waves[1]
    assert first.options["labels"] == {"zone": "a", topology.HOST_MARK: "m1"}
    assert second.options == {
        "name": "shop-w1",
        "labels": {"disk": "nvme", topology.HOST_MARK: "w1"},
        "labels_mode": "replace",
        "availability": "pause",
    }
    assert not plan.again


def test_settings() -> None:
    world = World()
    world.swarm("shop", ["m1"], [])
    assert world.steps(shop(["m1"], task_history_limit=2)) == ["change its settings @m1"]
    assert "the swarm has None" in world.refusal(shop(["m1"], subnet_size=26))


def test_from_one_manager_to_three() -> None:
    world = World("m3")
    world.swarm("shop", ["m1"], ["m2", "w1"])
    assert world.steps(shop(["m1", "m2", "m3"], ["w1"])) == [
        "promote m2 @m1",
        "join m3",
        "set m3 @m1",
    ]


def test_a_manager_is_replaced_by_a_new_one_before_it_leaves() -> None:
    world = World("m4")
    world.swarm("shop", ["m1", "m2", "m3"], ["w1"])
    assert world.steps(shop(["m4", "m2", "m3"], ["w1"])) == [
        "join m4",
        "set m4 @m2",
        "leave m1",
        "remove m1 @m2",
    ]


def test_the_only_manager_is_replaced() -> None:
    world = World("m2")
    world.swarm("shop", ["m1"], ["w1"])
    assert world.steps(shop(["m2"], ["w1"])) == [
        "join m2",
        "set m2",
        "leave m1",
        "remove m1 @m2",
    ]


def test_demotion_with_the_leader_last() -> None:
    world = World()
    world.swarm("shop", ["m1", "m2", "m3"], [])
    steps = world.steps(shop(["m3"], ["m1", "m2"]))
    assert steps == ["demote m2 @m3", "demote m1 @m3"]


def test_a_worker_goes() -> None:
    world = World()
    world.swarm("shop", ["m1"], ["w1", "w2"])
    assert world.steps(shop(["m1"])) == [
        "drain w1 @m1, drain w2 @m1",
        "leave w1, leave w2",
        "remove w1 @m1, remove w2 @m1",
    ]


def test_a_worker_moves_to_another_swarm() -> None:
    world = World()
    world.swarm("shop", ["m1"], ["w1"])
    world.swarm("mill", ["n1"], [])
    mill = {"name": "mill", "managers": ["n1"], "workers": ["w1"]}
    plan = world.plan(shop(["m1"]), mill)
    assert world.steps(shop(["m1"]), mill) == [
        "drain w1 @m1",
        "leave w1",
        "remove w1 @m1",
        "join w1",
        "set w1 @n1",
    ]
    assert plan.waves[3][0].source == "n1"
    assert plan.again


def test_a_manager_moves_to_another_swarm() -> None:
    world = World("m4")
    world.swarm("shop", ["m1", "m2"], [])
    world.swarm("mill", ["n1"], [])
    mill = {"name": "mill", "managers": ["n1", "m1"]}
    assert world.steps(shop(["m2", "m4"]), mill) == [
        "join m4",
        "set m4 @m2",
        "leave m1",
        "remove m1 @m2",
        "join m1",
        "set m1 @n1",
    ]


def test_a_swarm_ends_and_its_hosts_begin_another() -> None:
    world = World()
    world.swarm("shop", ["m1", "m2"], ["w1"])
    ended = shop(["m1", "m2"], ["w1"], state="absent")
    assert world.steps(ended) == ["leave w1", "leave m2", "leave m1"]
    assert world.plan(ended).waves[2][0].options["force"]
    mill = {"name": "mill", "managers": ["m1"], "workers": ["w1"]}
    assert world.steps(ended, mill)[3:] == ["begin m1", "join w1", "set m1, set w1 @m1"]
    empty = World("m1", "m2", "w1")
    assert empty.steps(ended) == []


def test_a_dead_manager() -> None:
    world = World("m4")
    nodes = world.swarm("shop", ["m1", "m2", "m3"], [])
    world.die("m1", nodes["m1"])
    silent = world.refusal(shop(["m1", "m2", "m3"]))
    assert "managers do not answer: m1 (no route)" in silent
    assert "davit_swarm_dead" in silent
    # The dead one goes before the new one comes.
    steps = ["remove m1 @m2", "join m4", "set m4 @m2"]
    assert world.steps(shop(["m4", "m2", "m3"]), dead=["m1"]) == steps
    # No host of the inventory any more.
    del world.facts["m1"]
    assert world.steps(shop(["m4", "m2", "m3"]), dead=["shop-m1"]) == steps
    # Not given up, it stays, and one more would be no help.
    assert world.steps(shop(["m2", "m3"])) == []
    assert "of none of these hosts: m1" in world.plan(shop(["m2", "m3"])).notes[1]


def test_dead_nodes_without_a_mark() -> None:
    world = World(m3={"advertise_addr": "m3.lan"})
    nodes = world.swarm("shop", ["m1", "m2", "m3"], ["w1"], marked=False)
    for name in ("m3", "w1"):
        world.die(name, nodes[name])
        nodes[name]["Description"]["Hostname"] = "" if name == "m3" else "w1"
    steps = world.steps(shop(["m1", "m2"]), dead=["m3", "w1"])
    # A node that has never told its name is known by its declared address.
    assert steps[:2] == ["remove shop-m3 @m1", "remove w1 @m1"]


def test_a_silent_worker_stays() -> None:
    world = World("w2")
    nodes = world.swarm("shop", ["m1"], ["w1"])
    world.die("w1", nodes["w1"])
    plan = world.plan(shop(["m1"], ["w1", "w2"]))
    assert plan.silent == ["w1"]
    assert [step.host for wave in plan.waves for step in wave] == ["w2", "w2"]
    assert world.steps(shop(["m1"]), dead=["w1"]) == ["remove w1 @m1"]


def test_a_host_that_was_installed_anew() -> None:
    world = World()
    nodes = world.swarm("shop", ["m1"], ["w1"])
    world.facts["w1"] = facts("inactive")
    nodes["w1"]["Status"]["State"] = "down"
    assert world.steps(shop(["m1"], ["w1"])) == ["remove w1 @m1", "join w1", "set w1 @m1"]


def test_a_host_that_its_swarm_has_removed_joins_again() -> None:
    world = World()
    world.swarm("shop", ["m1"], [])
    known = [{"address": "m1.lan:2377"}]
    world.facts["w1"] = facts("error", role="worker", id="past", managers=known)
    assert world.steps(shop(["m1"], ["w1"])) == ["leave w1", "join w1", "set w1 @m1"]
    assert world.plan(shop(["m1"], ["w1"])).waves[0][0].options["force"]


def test_locked() -> None:
    world = World("w1")
    world.swarm("shop", ["m1", "m2"], [])
    world.facts["m1"] = facts("locked", role="manager")
    plan = world.plan(shop(["m1", "m2"], ["w1"]))
    (step,) = plan.waves[0]
    assert (step.verb, step.secret, step.source) == ("unlock", "unlock", "m2")
    assert (len(plan.waves), plan.again) == (1, True)
    world.facts["m2"] = facts("locked", role="manager")
    assert "davit_swarm_unlock_keys" in world.refusal(shop(["m1", "m2"]))
    plan = world.plan(shop(["m1", "m2"]), keys=["shop"])
    assert [step.source for step in plan.waves[0]] == ["", ""]


def test_rotation_is_always_a_change() -> None:
    world = World()
    world.swarm("shop", ["m1"], [])
    plan = world.plan(shop(["m1"]), rotate=["worker_token", "ca"])
    (step,) = plan.waves[0]
    assert step.options == {"rotate_worker_token": True, "rotate_ca": True}
