"""The role swarm: real playbooks that make real hosts into swarms, and out of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.swarmfleet import CLOSED, LOCAL, Fleet, fleet_of_four, until

# A flow is several plays of several seconds each, and more on a busy machine.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_of_four(tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def fleet(engines: Fleet) -> Fleet:
    """The hosts, in no swarm."""
    engines.reset()
    return engines


def test_hosts_that_do_not_answer(tmp_path: Path) -> None:
    """A manager is an error, a worker waits; neither ends the play as if all were well."""
    variables = {"m1": {**LOCAL, "davit_swarm_engine": {"engine_host": f"unix://{tmp_path}/s"}}}
    fleet = Fleet(tmp_path, {}, {**variables, "x": CLOSED}, {})
    fleet.topology = [{"name": "shop", "managers": ["m1", "x"]}]
    shown, _changed = fleet.play("--check", fails=True)
    assert "managers do not answer: x (" in shown
    # Not even among the play's hosts, the manager has its steps.
    fleet.topology = [{"name": "shop", "managers": ["m1"], "workers": ["x"]}]
    shown, _changed = fleet.play("--check", "--limit", "x", fails=True)
    assert "begin m1" in shown
    assert "This host did not answer" in shown


def test_a_life_of_swarms(fleet: Fleet) -> None:
    """Each change of the topology is one run; they build on each other, as engines are dear."""
    shop: dict[str, Any] = {"name": "shop", "managers": ["m1"], "workers": ["w1"]}
    shop["task_history_limit"] = 2
    fleet.topology = [shop]
    own = {"davit_swarm_labels": {"disk": "nvme"}, "davit_swarm_availability": "pause"}
    fleet.variables["w1"].update(own)

    steps = fleet.change()
    assert steps == ["shop: begin m1", "shop: join w1", "shop: set m1, w1"]
    assert fleet.nodes("m1") == {"m1": ("manager", "active"), "w1": ("worker", "pause")}
    labels = [node["Spec"]["Labels"].get("disk") for node in fleet.hosts["m1"].get("/nodes").json]
    assert sorted(labels, key=str) == [None, "nvme"]
    fleet.settle()

    # From one manager to three.
    shop["managers"] = ["m1", "m2", "m3"]
    fleet.change()
    assert fleet.managers("m3") == {"m1", "m2", "m3"}
    fleet.settle("--check")

    # One manager is replaced, another begins a swarm of its own, and the worker goes over to that.
    mill: dict[str, Any] = {"name": "mill", "managers": ["m2"], "workers": ["w1"]}
    shop.update(managers=["m3"], workers=["m1"])
    fleet.topology = [shop, mill]
    fleet.change()
    assert fleet.managers("m3") == {"m3"}
    assert fleet.nodes("m3").keys() == {"m1", "m3"}
    assert fleet.nodes("m2").keys() == {"m2", "w1"}
    fleet.settle()

    # All ends.
    shop["state"] = mill["state"] = "absent"
    fleet.change()
    assert {fleet.info(host)["LocalNodeState"] for host in fleet.hosts} == {"inactive"}
    fleet.settle("--check")
    for name in own:
        del fleet.variables["w1"][name]


def test_a_node_of_another_swarm_is_an_error(fleet: Fleet) -> None:
    fleet.form("mill", ["m2"], ["w1"])
    fleet.topology = [{"name": "shop", "managers": ["m1"], "workers": ["m2", "w1"]}]
    identity = fleet.hosts["m2"].get("/swarm").json["ID"]
    shown = fleet.refuse()
    assert "these hosts are in another swarm than the declared one" in shown
    assert f"m2 (a manager of the swarm {identity})" in shown
    assert f"w1 (a node of the swarm {identity})" in shown
    wishes: dict[str, Any] = {"davit_swarm_take_over": ["m2", "w1"]}
    fleet.change(**wishes)
    assert fleet.nodes("m1").keys() == {"m1", "m2", "w1"}
    assert fleet.managers("m1") == {"m1"}
    fleet.settle(**wishes)


def test_a_dead_manager_is_replaced(fleet: Fleet) -> None:
    shop = fleet.form("shop", ["m1", "m2", "m3"], ["w1"])
    fleet.topology = [shop]
    lost = fleet.info("m3")["NodeID"]
    fleet.machines["m3"].kill()
    assert until(lambda: _standing(fleet, "m1", lost) == ("down", "unreachable"))
    # The machine comes back as a new one, by another name.
    fleet.reinstall("m3")
    fleet.variables["m4"] = fleet.variables["m3"]
    fleet.variables["m3"] = CLOSED
    try:
        shop["managers"] = ["m1", "m2", "m4"]
        wishes: dict[str, Any] = {"davit_swarm_dead": ["m3"]}
        steps = fleet.change(**wishes)
        assert steps == ["shop: remove m3", "shop: join m4", "shop: set m4"]
        assert lost not in fleet.nodes("m1")
        assert fleet.managers("m1") == {"m1", "m2", "m3"}
        fleet.settle(**wishes)
    finally:
        fleet.variables["m3"] = fleet.variables.pop("m4")


def test_locked_managers(fleet: Fleet) -> None:
    """One that was started anew gets the key from another; when all were, the user has it."""
    lock: dict[str, Any] = {"EncryptionConfig": {"AutoLockManagers": True}}
    shop = fleet.form("shop", ["m1", "m2", "m3"], **lock)
    fleet.topology = [{**shop, "autolock": True}]
    fleet.restart("m3")
    assert until(lambda: fleet.info("m3")["LocalNodeState"] == "locked")
    assert fleet.change() == ["shop: unlock m3"]
    assert fleet.info("m3")["LocalNodeState"] == "active"

    key = fleet.keys("m1")["Unlock"]
    for name in shop["managers"]:
        fleet.restart(name)
    assert until(lambda: all(_is_locked(fleet, name) for name in shop["managers"]))
    wishes: dict[str, Any] = {"davit_swarm_unlock_keys": {"shop": key}}
    assert fleet.change(**wishes) == ["shop: unlock m1, m2, m3"]
    assert fleet.managers("m2") == {"m1", "m2", "m3"}
    fleet.settle(**wishes)


def test_keys_and_authority_made_anew(fleet: Fleet) -> None:
    shop = fleet.form("shop", ["m1"], ["w1"], EncryptionConfig={"AutoLockManagers": True})
    fleet.topology = [{**shop, "autolock": True}]
    before, root = fleet.keys("m1"), _root(fleet)
    names = ["worker_token", "manager_token", "unlock_key", "ca"]
    fleet.change(davit_swarm_rotate=names)
    after = fleet.keys("m1")
    assert not set(before.values()) & set(after.values())
    # It goes on behind the answer, until the worker has its certificate from the new authority.
    assert until(lambda: _root(fleet) not in ("", root))
    assert fleet.info("w1")["LocalNodeState"] == "active"
    fleet.settle()
    assert fleet.keys("m1")["Unlock"] == after["Unlock"]


def test_a_lost_quorum(fleet: Fleet) -> None:
    shop = fleet.form("shop", ["m1", "m2", "m3"], ["w1"])
    fleet.topology = [shop]
    config = {"Name": "kept", "Data": "aGVsbG8="}
    assert fleet.hosts["m1"].post("/configs/create", config).status == 201
    for name in ("m2", "m3"):
        fleet.machines[name].kill()
    # In order, or its disk may lack that the last changes were agreed on, and it drops them.
    fleet.machines["m1"].stop()
    fleet.machines["m1"].start()
    dead: dict[str, Any] = {"davit_swarm_dead": ["m2", "m3"]}
    shown = fleet.refuse(**dead)
    assert "shop has no leader" in shown
    assert "of its 3 managers 1 answer (m1), and it needs 2" in shown

    wishes: dict[str, Any] = {**dead, "davit_swarm_recover": ["m1"]}
    steps = fleet.change(later=True, **wishes)
    assert steps[0] == "shop: recover m1"
    assert sorted(steps[1:]) == ["shop: remove m2", "shop: remove m3"]
    assert fleet.nodes("m1").keys() == {"m1", "w1"}
    names = [item["Spec"]["Name"] for item in fleet.hosts["m1"].get("/configs").json]
    assert names == ["kept"]
    fleet.settle(**wishes)

    # A former manager comes back, and still waits for the others: it is not taken in by itself.
    fleet.machines["m2"].start()
    fleet.change(davit_swarm_dead=["m3"], davit_swarm_take_over=["m2"])
    assert fleet.managers("m1") == {"m1", "m2"}


def test_a_swarm_that_has_become_two(fleet: Fleet) -> None:
    """Somebody began it anew, past the role, from a manager that the others do not reach."""
    shop = fleet.form("shop", ["m1", "m2", "m3"], ["w1"])
    fleet.topology = [shop]
    own = {"AdvertiseAddr": fleet.machines["m3"].address, "ListenAddr": "0.0.0.0:2377"}
    with fleet.machines["m3"].cut_off():
        body = {"ForceNewCluster": True, **own}
        assert fleet.hosts["m3"].post("/swarm/init", body).status == 200
        assert until(lambda: _leads(fleet, "m3") and (_leads(fleet, "m1") or _leads(fleet, "m2")))
        shown = fleet.refuse()
    assert "is two now: m1 and m3 obey different leaders" in shown
    assert "name the managers of the one that is to end in davit_swarm_take_over" in shown


def test_a_locked_swarm_cannot_begin_anew(fleet: Fleet) -> None:
    """Said before anything is done to it; the way out is the other managers."""
    lock: dict[str, Any] = {"EncryptionConfig": {"AutoLockManagers": True}}
    shop = fleet.form("shop", ["m1", "m2", "m3"], **lock)
    fleet.topology = [{**shop, "autolock": True}]
    wishes: dict[str, Any] = {"davit_swarm_unlock_keys": {"shop": fleet.keys("m1")["Unlock"]}}
    for name in ("m2", "m3"):
        fleet.machines[name].kill()
    assert until(lambda: fleet.hosts["m1"].get("/nodes").status != 200)
    shown = fleet.refuse(davit_swarm_dead=["m2", "m3"], davit_swarm_recover=["m1"], **wishes)
    assert "swarm shop cannot begin anew from m1: it is autolocked" in shown
    for name in ("m2", "m3"):
        fleet.machines[name].start()
    assert fleet.change(**wishes) == ["shop: unlock m2, m3"]
    assert fleet.managers("m1") == {"m1", "m2", "m3"}
    fleet.settle(**wishes)


def _leads(fleet: Fleet, host: str) -> bool:
    """Whether a manager says that it is the leader itself."""
    nodes = fleet.hosts[host].get("/nodes")
    if nodes.status != 200:
        return False
    leaders = {node["ID"] for node in nodes.json if node.get("ManagerStatus", {}).get("Leader")}
    return leaders == {fleet.info(host)["NodeID"]}


def _standing(fleet: Fleet, manager: str, identity: str) -> tuple[str, str]:
    """State and reachability of a node, as a manager tells them."""
    answer = fleet.hosts[manager].get(f"/nodes/{identity}")
    if answer.status != 200:
        return ("", "")
    node = answer.json
    return (node["Status"]["State"], node.get("ManagerStatus", {}).get("Reachability", ""))


def _is_locked(fleet: Fleet, host: str) -> bool:
    return bool(fleet.info(host)["LocalNodeState"] == "locked")


def _root(fleet: Fleet) -> str:
    """The authority's certificate; empty while it is being replaced."""
    cluster = fleet.hosts["m1"].get("/swarm").json
    return "" if cluster["RootRotationInProgress"] else str(cluster["TLSInfo"]["TrustRoot"])
