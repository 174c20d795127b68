"""Whole swarms that have lost their quorum, and the way back."""

from __future__ import annotations

import copy

from .worlds import World, facts, shop

THREE = ["m1", "m2", "m3"]


def _lost(*living: str) -> World:
    """A swarm of three managers and a worker in which only these managers live."""
    world = World()
    world.swarm("shop", THREE, ["w1"])
    for name in THREE:
        if name in living:
            world.facts[name].update(cluster=None, nodes=[])
        else:
            world.die(name)
    return world


def _begun_anew() -> World:
    """The same swarm, begun anew from m1; it still lists the others, but not as managers."""
    world = World()
    nodes = world.swarm("shop", THREE, ["w1"])
    for name in ("m2", "m3"):
        world.facts[name] = None
        nodes[name]["Status"]["State"] = "unknown"
        del nodes[name]["ManagerStatus"]
    return world


def test_a_swarm_begins_anew_only_from_whom_somebody_names() -> None:
    world = _lost("m1")
    refused = world.refusal(shop(THREE, ["w1"]), dead=["m2", "m3"])
    assert "of its 3 managers 1 answer (m1), and it needs 2" in refused
    assert "davit_swarm_recover" in refused
    # Those that do not answer are to be given up by name.
    assert "do not answer: m2" in world.refusal(shop(THREE, ["w1"]), recover=["m1"])
    wishes = {"dead": ["m2", "m3"], "recover": ["m1"]}
    world.local["m1"] = {"advertise_addr": "10.0.0.2"}
    plan = world.plan(shop(THREE, ["w1"], autolock=False), **wishes)
    ((step,),) = plan.waves
    assert (step.verb, step.host, plan.again) == ("recover", "m1", True)
    assert step.options == {
        "force_new_cluster": True,
        "advertise_addr": "10.0.0.2",
        "autolock": False,
    }
    assert "only shows after that" in plan.notes[0]
    world.facts["m1"]["node"]["state"] = "pending"
    assert world.steps(shop(THREE, ["w1"]), **wishes) == ["recover m1"]


def test_what_follows() -> None:
    world = _begun_anew()
    wishes = {"dead": ["m2", "m3"], "recover": ["m1"]}
    steps = ["remove m2 @m1", "remove m3 @m1"]
    assert world.steps(shop(THREE, ["w1"]), **wishes) == steps
    nodes = world.facts["m1"]["nodes"]
    nodes[:] = [node for node in nodes if node["ID"] not in ("shop-m2", "shop-m3")]
    assert world.steps(shop(THREE, ["w1"]), **wishes) == []
    # New machines, by the same names.
    world.facts.update(m2=facts("inactive"), m3=facts("inactive"))
    steps = ["join m2", "join m3", "set m2 @m1, set m3 @m1"]
    assert world.steps(shop(THREE, ["w1"]), recover=["m1"]) == steps


def test_a_former_manager_that_still_lives() -> None:
    """It waits for the others of a swarm that is no more, and is listed, but not as a manager."""
    world = _begun_anew()
    known = [{"address": f"{name}.lan:2377"} for name in THREE]
    world.facts["m2"] = facts("active", role="manager", id="shop-m2", managers=known)
    refused = world.refusal(shop(["m1", "m2"]), dead=["m3"])
    assert "m2 (a manager of a swarm without a leader)" in refused
    steps = ["remove m2 @m1", "remove m3 @m1", "leave m2", "join m2"]
    for wishes in ({"recover": ["m1"]}, {"take_over": ["m2"]}):
        assert world.steps(shop(["m1", "m2"], ["w1"]), dead=["m3"], **wishes)[:4] == steps
    # One that is cut off for a while is a manager still.
    (node,) = (node for node in world.facts["m1"]["nodes"] if node["ID"] == "shop-m2")
    node["ManagerStatus"] = {"Reachability": "unreachable", "Addr": "m2.lan:2377"}
    assert world.steps(shop(["m1", "m2"], ["w1"]), dead=["m3"]) == ["remove m3 @m1"]


def test_a_swarm_that_has_become_two() -> None:
    world = _begun_anew()
    theirs = copy.deepcopy(world.facts["m1"])
    for node in theirs["nodes"]:
        if node["ID"] in ("shop-m2", "shop-m3"):
            node["ManagerStatus"] = {"Reachability": "reachable", "Leader": node["ID"] == "shop-m2"}
            node["Status"]["State"] = "ready"
        elif "ManagerStatus" in node:
            node["ManagerStatus"] = {"Reachability": "unreachable"}
    for name in ("m2", "m3"):
        world.facts[name] = {**theirs, "node": {**theirs["node"], "id": f"shop-{name}"}}
    refused = world.refusal(shop(THREE, ["w1"]))
    assert "the swarm id-shop is two now: m1 and m2 obey different leaders" in refused
    steps = world.steps(shop(THREE, ["w1"]), take_over=["m2", "m3"])
    assert steps[:4] == ["remove m2 @m1", "remove m3 @m1", "leave m2, leave m3", "join m2"]


def test_who_cannot_begin_anew() -> None:
    wishes = {"dead": ["m2", "m3"], "recover": ["m1"]}
    world = _lost("m1")
    assert "it is autolocked" in world.refusal(shop(THREE, autolock=True), **wishes)
    stray = world.refusal(shop(THREE), dead=["m2", "m3"], recover=["w1"])
    assert "w1, which is a manager of no swarm" in stray
    both = world.refusal(shop(THREE), dead=["m3"], recover=["m1", "m2"])
    assert "do not answer: m2" in both
    world = _lost("m1", "m2")
    both = world.refusal(shop(THREE), dead=["m3"], recover=["m1", "m2"])
    assert "from one of them only" in both
    enough = world.refusal(shop(THREE), dead=["m3"], recover=["m1"])
    assert "m1, m2 answer, and are enough to elect a leader" in enough
    # A swarm that can decide is left as it is.
    healthy = World()
    healthy.swarm("shop", THREE, ["w1"])
    assert healthy.steps(shop(THREE, ["w1"]), recover=["m1"]) == []


def test_the_last_manager_of_a_swarm_that_is_given_up() -> None:
    world = World("m1")
    nodes = world.swarm("mill", ["m2"], ["w1"])
    refused = world.refusal(shop(["m1"], ["m2"]), take_over=["m2"])
    assert "m2 cannot leave the swarm id-mill: it is the last manager there" in refused
    assert "w1 (mill-w1)" in refused
    steps = world.steps(shop(["m1"], ["m2", "w1"]), take_over=["m2", "w1"])
    assert steps[:3] == ["leave w1", "leave m2", "begin m1"]
    nodes["w1"]["Status"]["State"] = "down"
    del world.facts["w1"]
    (leave,) = world.plan(shop(["m1"], ["m2"]), take_over=["m2"]).waves[0]
    assert leave.options == {"state": "absent", "force": True}
