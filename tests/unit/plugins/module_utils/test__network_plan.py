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
        "IPAM": {"Driver": "default", "Config": [{"Gateway": "10.0.0.1", **pools[0]}, *pools[1:]]},
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"internal": True},
        {"ipam_config": SUBNET},
        {"enable_ipv6": True},
        {"enable_ipv6": True, "ipam_config": [*SUBNET, {"subnet": "fd00:5::/64"}]},
        {"driver": "macvlan", "driver_options": {"parent": "eth0"}},
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


@pytest.mark.parametrize(
    "changed",
    [
        {"subnet": "fd00:6::/64"},
        {"subnet": "fd00:5::/64", "gateway": "fd00:5::2"},
        {"subnet": "fd00:5::/64", "aux_addresses": {"nas": "fd00:5::9"}},
    ],
)
def test_a_pool_that_differs_renews_the_network(changed: dict[str, Any]) -> None:
    pool = {"subnet": "fd00:5::/64", "aux_addresses": {"nas": "fd00:5::8"}}
    found = made(wanted(enable_ipv6=True, ipam_config=[*SUBNET, pool]))
    (action,) = plan(wanted(enable_ipv6=True, ipam_config=[changed, *SUBNET]), found, "shop")
    assert action.verb == "recreate"


def test_spelling_and_order_of_pools_do_not_matter() -> None:
    aux = {"nas": "fd00:5::8"}
    found = made(wanted(ipam_config=[*SUBNET, {"subnet": "fd00:5::/64", "aux_addresses": aux}]))
    other = {"subnet": "FD00:5:0::/64", "aux_addresses": {"nas": "fd00:5:0:0::8"}}
    assert plan(wanted(ipam_config=[other, {"subnet": "10.0.0.0/24"}]), found, "shop") == []
