"""The filter: from variables and facts to a plan, or to why there is none."""

from __future__ import annotations

from typing import Any

from ansible_collections.davit.fleet.plugins.filter.swarm_plan import swarm_plan

FREE: dict[str, Any] = {"node": {"state": "inactive", "role": "none", "id": ""}, "cluster": None}
SHOP = [{"name": "shop", "managers": ["m1"], "task_history_limit": "2"}]


def test_a_plan() -> None:
    variables = {
        "m1": {"davit_swarm_labels": {"a": "b"}, "davit_swarm_advertise_addr": "10.0.0.2"},
        "other": {},
    }
    planned = swarm_plan(SHOP, variables, [], {"m1": FREE}, {}, foretell=True)
    assert not planned["refused"]
    (begin,), (label,) = planned["waves"]
    assert begin["options"]["advertise_addr"] == "10.0.0.2"
    # Variables of the command line are text.
    assert begin["options"]["task_history_limit"] == 2
    assert label["options"]["labels"] == {"a": "b", "net.davit.host": "m1"}
    assert (label["later"], planned["again"]) == (True, True)
    # A real run has the steps with the IDs that show after the first.
    assert [
        wave[0]["verb"] for wave in swarm_plan(SHOP, variables, [], {"m1": FREE}, {})["waves"]
    ] == ["begin"]


def test_why_there_is_none() -> None:
    silent = swarm_plan(SHOP, {"m1": {}}, [], {"m1": {"unreachable": True, "msg": "no route"}}, {})
    assert "m1 (no route)" in silent["refused"]
    assert silent["waves"] == []
    assert "davit_swarm_topology[0]: " in swarm_plan([{"names": "x"}], {}, [], {}, {})["refused"]
    odd = {"m1": {"davit_swarm_availability": "up"}}
    assert "not active, pause or drain" in swarm_plan(SHOP, odd, [], {"m1": FREE}, {})["refused"]


class Lazy(dict[str, str]):
    """Like a dictionary of Ansible's: it is made of a whole one, and of no items."""

    def __init__(self, given: dict[str, str]) -> None:
        if not isinstance(given, dict):
            raise NotImplementedError("Direct construction of lazy containers is not supported.")
        super().__init__(given)


def test_labels_of_a_node_that_has_some() -> None:
    node = {
        "ID": "n1",
        "Spec": {"Role": "manager", "Availability": "active", "Labels": Lazy({"a": "b"})},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable"},
    }
    labels = {"net.davit.swarm": "shop"}
    facts = {
        "node": {"state": "active", "role": "manager", "id": "n1"},
        "cluster": {"ID": "c", "Spec": {"Labels": labels}},
        "nodes": [node],
    }
    shop = [{"name": "shop", "managers": ["m1"]}]
    planned = swarm_plan(shop, {"m1": {"davit_swarm_labels": {}}}, [], {"m1": facts}, {})
    ((step,),) = planned["waves"]
    assert (step["before"], step["after"]["labels"]) == (
        {"labels": {"a": "b"}},
        {"net.davit.host": "m1"},
    )
