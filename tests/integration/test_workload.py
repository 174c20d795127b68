"""A whole workload in one run: order, ownership, pruning, archives, and a failure in the middle."""

from __future__ import annotations

import ipaddress
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Fleet

RUN: dict[str, Any] = {
    "image": "busybox",
    "command": ["sleep", "600"],
    "stop_signal": "SIGKILL",
}
SHOP: dict[str, Any] = {
    "project": "shop",
    "networks": [{"name": "shop"}],
    "volumes": [{"name": "orders"}],
    "containers": [
        {"name": "db", "networks": ["shop"], "volumes": ["orders:/data"], **RUN},
        {
            "name": "web",
            "networks": [{"name": "shop", "aliases": ["www"]}],
            "published_ports": ["127.0.0.1:18098:80"],
            "env": {"DB": "db"},
            **RUN,
        },
    ],
}


def test_everything_in_order(fleet: Fleet) -> None:
    result = fleet.apply("workload", **SHOP)
    assert [(item["action"], item["name"]) for item in result["actions"]] == [
        ("create", "shop"),
        ("create", "orders"),
        ("create", "db"),
        ("start", "db"),
        ("create", "web"),
        ("start", "web"),
    ]
    told = {item["name"]: item for item in result["containers"]}
    assert told["web"]["state"] == "running"
    assert told["web"]["ports"] == {"80/tcp": ["127.0.0.1:18098"]}
    assert told["db"]["addresses"]["shop"]


def test_prune_removes_what_the_project_no_longer_declares(fleet: Fleet) -> None:
    fleet.run("workload", **SHOP)
    fleet.run("container", name="other", **RUN)
    fleet.run("volume", name="other")
    less = {"project": "shop", "networks": SHOP["networks"], "containers": SHOP["containers"][:1]}
    assert not fleet.run("workload", **less, volumes=SHOP["volumes"])["changed"]
    result = fleet.apply("workload", **less, volumes=SHOP["volumes"], prune=True)
    assert [item["name"] for item in result["actions"]] == ["web"]
    assert fleet.names() == {"db", "other"}
    fleet.apply("workload", project="shop", prune=True, keep_volumes=True)
    assert fleet.names() == {"other"}
    volumes = {item["Name"] for item in fleet.client.get("/volumes").json["Volumes"]}
    assert volumes == {"orders", "other"}
    fleet.apply("workload", project="shop", prune=True)
    volumes = {item["Name"] for item in fleet.client.get("/volumes").json["Volumes"]}
    assert volumes == {"other"}


def test_pruned_container_frees_its_port_first(fleet: Fleet) -> None:
    old = {**SHOP["containers"][1], "name": "old"}
    fleet.run("workload", project="shop", networks=SHOP["networks"], containers=[old])
    fleet.apply("workload", **{**SHOP, "prune": True})
    assert fleet.names() == {"db", "web"}


def test_container_of_nobody_is_left_alone(fleet: Fleet) -> None:
    fleet.client.post("/containers/create", {"Image": "busybox", "Cmd": ["true"]}, name="web")
    made = fleet.id("web")
    failed = fleet.run("workload", **SHOP, fails=True)
    assert "adopt" in failed["msg"]
    assert fleet.id("web") == made
    # Nothing was done, since the plan as a whole failed.
    assert fleet.names() == {"web"}
    containers = [SHOP["containers"][0], {**SHOP["containers"][1], "adopt": True}]
    fleet.apply("workload", **{**SHOP, "containers": containers})
    assert fleet.id("web") != made


def test_container_of_another_project_is_left_alone(fleet: Fleet) -> None:
    fleet.run("workload", **SHOP)
    failed = fleet.run("workload", **{**SHOP, "project": "mall"}, fails=True)
    assert "'shop'" in failed["msg"]
    failed = fleet.run("container", name="web", state="absent", fails=True)
    assert "'shop'" in failed["msg"]
    restarted = fleet.run("container", name="web", restart=True)
    assert [item["action"] for item in restarted["actions"]] == ["restart"]
    assert not fleet.run("workload", **SHOP)["changed"]


def test_failure_in_the_middle_tells_what_remains(fleet: Fleet) -> None:
    containers = [*SHOP["containers"], {"name": "zzz", **RUN}]
    containers[1] = {**containers[1], "command": ["/nowhere"]}
    failed = fleet.run("workload", **{**SHOP, "containers": containers}, fails=True)
    assert failed["msg"].startswith("container web: ")
    assert [item["name"] for item in failed["actions"]] == ["shop", "orders", "db", "db", "web"]
    assert [item["name"] for item in failed["remaining"]] == ["web", "zzz", "zzz"]


def test_wrong_value_is_named_with_its_path(fleet: Fleet) -> None:
    containers = [SHOP["containers"][0], {**SHOP["containers"][1], "published_ports": ["x"]}]
    failed = fleet.run("workload", **{**SHOP, "containers": containers}, fails=True)
    assert failed["msg"].startswith("containers[1].published_ports")
    containers = [SHOP["containers"][0], {**SHOP["containers"][1], "memroy": "1G"}]
    failed = fleet.run("workload", **{**SHOP, "containers": containers}, fails=True)
    assert failed["msg"].startswith("containers[1]")
    assert "memroy" in failed["msg"]


def test_user_of_a_renewed_container_is_renewed(fleet: Fleet) -> None:
    """The namespace that it shared went with the container that had it."""
    containers = [
        {"name": "main", **RUN},
        {"name": "side", "network_mode": "container:main", **RUN},
    ]
    fleet.apply("workload", project="pod", containers=containers)
    containers[0] = {**containers[0], "env": {"A": "1"}}
    result = fleet.apply("workload", project="pod", containers=containers)
    assert [(item["action"], item["name"]) for item in result["actions"]] == [
        ("recreate", "main"),
        ("recreate", "side"),
    ]


def test_network_is_made_anew_with_its_containers(fleet: Fleet) -> None:
    lan = {"name": "shop", "ipam_config": [{"subnet": "10.231.8.0/24"}]}
    fixed = [{"name": "shop", "ipv4_address": "10.231.8.9", "aliases": ["www"]}]
    containers = [
        {"name": "web", "networks": fixed, **RUN},
        {"name": "off", "networks": ["shop"], "state": "stopped", **RUN},
    ]
    options = {"project": "shop", "networks": [lan], "containers": containers}
    fleet.apply("workload", **options)
    made = fleet.id("web")
    lan["labels"] = {"tier": "front"}
    result = fleet.apply("workload", **options)
    assert [item["action"] for item in result["actions"]] == ["recreate"]
    assert fleet.id("web") == made
    shown = fleet.inspect("web")["NetworkSettings"]["Networks"]["shop"]
    assert shown["IPAddress"] == "10.231.8.9"
    assert "www" in shown["Aliases"]
    containers[1] = {**containers[1], "state": "started"}
    fleet.apply("workload", **options)
    assert fleet.inspect("off")["State"]["Running"]


def test_network_that_cannot_be_made_anew_is_put_back(fleet: Fleet) -> None:
    fleet.run("network", name="a", ipam_config=[{"subnet": "10.231.9.0/24"}])
    fleet.run("network", name="b", ipam_config=[{"subnet": "10.231.10.0/24"}])
    fleet.run("container", name="web", networks=["b"], **RUN)
    again = {"name": "b", "ipam_config": [{"subnet": "10.231.9.0/24"}]}
    fleet.run("network", **again, fails=True)
    pools = fleet.client.get("/networks/b").json["IPAM"]["Config"]
    assert pools[0]["Subnet"] == "10.231.10.0/24"
    assert "b" in fleet.inspect("web")["NetworkSettings"]["Networks"]


def test_network_in_use_is_not_removed(fleet: Fleet) -> None:
    fleet.run("network", name="lan")
    fleet.run("container", name="web", networks=["lan"], **RUN)
    failed = fleet.run("network", name="lan", state="absent", fails=True)
    assert failed["msg"].startswith("network lan: ")
    fleet.run("container", name="web", state="absent")
    fleet.apply("network", name="lan", state="absent")


def test_all_is_declared_absent(fleet: Fleet) -> None:
    fleet.run("workload", **SHOP)
    gone = {
        kind: [{"name": item["name"], "state": "absent"} for item in SHOP[kind]]
        for kind in ("containers", "networks", "volumes")
    }
    result = fleet.apply("workload", project="shop", **gone)
    assert [item["name"] for item in result["actions"]] == ["db", "web", "orders", "shop"]


def test_volume_is_never_emptied_unasked(fleet: Fleet) -> None:
    fleet.apply("volume", name="data", labels={"a": "1"})
    failed = fleet.run("volume", name="data", labels={"a": "2"}, fails=True)
    assert "recreate" in failed["msg"]
    fleet.run("container", name="user", state="stopped", volumes=["data:/data"], **RUN)
    # Check mode says so, too, and nothing is lost.
    for check in (True, False):
        failed = fleet.run(
            "volume", name="data", labels={"a": "2"}, recreate=True, check=check, fails=True
        )
        assert "remove user first" in failed["msg"]
    assert fleet.client.get("/volumes/data").json["Labels"]["a"] == "1"
    fleet.run("container", name="user", state="absent")
    fleet.apply("volume", name="data", labels={"a": "2"}, recreate=True)
    fleet.apply("volume", name="data", state="absent")


def test_network_of_both_families(fleet: Fleet) -> None:
    pools: list[dict[str, Any]] = [
        {"subnet": "FD00:231:9:0::/64", "aux_addresses": {"nas": "fd00:231:9::8"}},
        {"subnet": "10.231.9.0/24", "iprange": "10.231.9.64/26"},
    ]
    lan = {"name": "lan", "enable_ipv6": True, "ipam_config": pools}
    fleet.apply("network", **lan)
    fleet.run("container", name="web", networks=["lan"], **RUN)
    endpoint = fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]
    assert ipaddress.ip_address(endpoint["IPAddress"]) in ipaddress.ip_network("10.231.9.64/26")
    assert endpoint["GlobalIPv6Address"].startswith("fd00:231:9::")
    pools[0]["aux_addresses"] = {"nas": "fd00:231:9::9"}
    assert [action["action"] for action in fleet.apply("network", **lan)["actions"]] == ["recreate"]
    assert fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]["GlobalIPv6Address"]


def test_network_of_driver_macvlan(fleet: Fleet, cable: str) -> None:
    pools = [{"subnet": "10.231.9.0/24", "gateway": "10.231.9.1"}]
    lan: dict[str, Any] = {"name": "lan", "driver": "macvlan", "ipam_config": pools}
    fleet.apply("network", **lan, driver_options={"parent": cable})
    fleet.run("container", name="web", networks=["lan"], **RUN)
    assert fleet.inspect("web")["NetworkSettings"]["Networks"]["lan"]["Gateway"] == "10.231.9.1"
    private = {"parent": cable, "macvlan_mode": "private"}
    renewed = fleet.apply("network", **lan, driver_options=private)
    assert [action["action"] for action in renewed["actions"]] == ["recreate"]


@pytest.fixture
def cable() -> Iterator[str]:
    """An interface of the host's that leads to another one only."""
    name = f"cable{os.getpid()}"[:12]
    peer = f"{name}p"
    subprocess.run(
        ["ip", "link", "add", name, "up", "type", "veth", "peer", "name", peer], check=True
    )
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)
