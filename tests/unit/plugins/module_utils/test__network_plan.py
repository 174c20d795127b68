"""Networks: facts in, actions out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.davit.fleet.plugins.module_utils._network_plan import ARGUMENTS, plan

SUBNET = [{"subnet": "10.0.0.0/24"}]


def wanted(**options: Any) -> dict[str, Any]:
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "lan", **options}


def made(options: dict[str, Any], owner: str = "shop") -> dict[str, Any]:
    """What inspect shows of a network that a plan has made, with what an engine fills in."""
    body = plan(options, None, owner)[0].data["body"]
    pools = body.get("IPAM", {}).get("Config") or [{"Subnet": "172.18.0.0/16"}]
    return {
        "Id": "8f2e",
        "Driver": "bridge",
        "Internal": False,
        "Options": {},
        **body,
        "IPAM": {"Driver": "default", "Config": [{"Gateway": "10.0.0.1", **pools[0]}]},
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"internal": True},
        {"ipam_config": SUBNET},
        {"labels": {"tier": "front"}},
        {"driver_options": {"com.docker.network.driver.mtu": 1400}},
    ],
)
def test_network_is_made_once_and_reverted(options: dict[str, Any]) -> None:
    found = made(wanted(**options))
    assert plan(wanted(**options), found, "shop") == []
    verbs = [action.verb for action in plan(wanted(), found, "shop")]
    assert verbs == (["recreate"] if options else [])


def test_network_of_others_is_used_but_not_changed() -> None:
    found = made(wanted(ipam_config=SUBNET), owner="mall")
    assert plan(wanted(ipam_config=SUBNET), found, "shop") == []
    with pytest.raises(FleetError, match="'mall'"):
        plan(wanted(ipam_config=[{"subnet": "10.0.1.0/24"}]), found, "shop")
    with pytest.raises(FleetError, match="'mall'"):
        plan(wanted(state="absent"), found, "shop")


def test_old_network_can_be_made_again() -> None:
    found = made(wanted(ipam_config=SUBNET))
    (action,) = plan(wanted(ipam_config=SUBNET, internal=True), found, "shop")
    assert action.data["old"]["IPAM"] == found["IPAM"]
    assert action.data["old"]["Labels"] == found["Labels"]
    assert action.before == {"internal": False}
    assert action.after == {"internal": True}
