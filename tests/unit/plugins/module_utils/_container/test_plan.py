"""Containers: facts in, actions out. The facts are made from what a plan would have created."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from ansible_collections.davit.fleet.plugins.module_utils import _ownership
from ansible_collections.davit.fleet.plugins.module_utils._container.plan import (
    ARGUMENTS,
    ASIDE,
    plan,
    references,
)
from ansible_collections.davit.fleet.plugins.module_utils._errors import FleetError, Invalid
from ansible_collections.davit.fleet.plugins.module_utils._plan import Action

IMAGE = {
    "Id": "sha256:1111",
    "Config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"from": "image"}},
}
OTHER_IMAGE = {**IMAGE, "Id": "sha256:2222"}

# option: two values that differ
VALUES: dict[str, tuple[Any, Any]] = {
    "command": (["sleep", "1"], "sleep 2"),
    "entrypoint": (["/init"], ["/init", "-v"]),
    "env": ({"A": "1", "B": "2"}, {"A": "2"}),
    "labels": ({"tier": "front"}, {"team": "deck"}),
    "user": ("1000", "root"),
    "tty": (True, False),
    "memory": ("64M", "128M"),
    "cpus": (0.5, 1.5),
    "pids_limit": (10, 20),
    "restart_policy": ("always", "on-failure:3"),
    "log_driver": ("json-file", "local"),
    "log_options": ({"max-size": "1m", "max-file": 3}, {"max-size": "1m", "compress": True}),
    "cap_add": (["NET_ADMIN"], ["CAP_SYS_TIME"]),
    "volumes": (["data:/data"], ["data:/data:ro", "/srv:/srv"]),
    "tmpfs": (["/run"], ["/run:size=1m"]),
    "published_ports": (["80:8080"], ["127.0.0.1:80:8080/udp", "9000-9001:90-91"]),
    "exposed_ports": (["80"], ["81/udp"]),
    "etc_hosts": ({"db": "10.0.0.1"}, {"db": "10.0.0.2"}),
    "ulimits": (["nofile=10"], ["nofile=10:20"]),
    "healthcheck": ({"test": "true"}, {"test": ["CMD", "true"], "interval": "1m"}),
    "sysctls": ({"net.ipv4.ip_forward": 1}, {"net.ipv4.ip_forward": 0}),
    "annotations": ({"org.example.a": "1"}, {"org.example.a": "2"}),
    "links": (["db"], ["db:store"]),
    "blkio_weight_device": ([{"path": "/dev/sda", "weight": 10}], []),
    "cpu_rt_runtime": (1000, 2000),
    "device_requests": ([{"count": -1, "capabilities": [["gpu"]]}], [{"device_ids": ["0"]}]),
    "networks": (["lan"], [{"name": "lan", "aliases": ["www"]}, "wan"]),
}


def wanted(**options: Any) -> dict[str, Any]:
    """A module's parameters: every option, None where nothing is given."""
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    return {**defaults, "name": "web", "image": "app:1", **copy.deepcopy(options)}


def made(actions: list[Action], found: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """What inspect shows after the actions, as Moby writes it."""
    for action in actions:
        data = action.data
        if action.verb in ("create", "recreate"):
            found = _shown(data["body"], data["connect"])
            found["State"]["Status"] = "running" if data.get("start") else "created"
            found["State"]["Running"] = bool(data.get("start"))
            continue
        if action.verb == "remove":
            found = None
            continue
        assert found is not None
        shown = found["NetworkSettings"]["Networks"]
        if action.verb == "start":
            found["State"] = {"Status": "running", "Running": True}
        elif action.verb == "stop":
            found["State"] = {"Status": "exited", "Running": False}
        elif action.verb == "update":
            found["HostConfig"].update(data["body"])
        elif action.verb == "connect":
            shown[data["endpoint"]["name"]] = {"Aliases": data["endpoint"].get("aliases")}
        elif action.verb == "disconnect":
            del shown[data["network"]]
        else:
            assert action.verb in ("rename", "await_healthy"), action.verb
    return found


def _shown(body: dict[str, Any], connected: list[dict[str, Any]]) -> dict[str, Any]:
    config = {key: value for key, value in body.items() if key not in ("HostConfig",)}
    config["Env"] = [*config.get("Env", []), *IMAGE["Config"]["Env"]]
    config["Labels"] = {**IMAGE["Config"]["Labels"], **config["Labels"]}
    config.setdefault("Cmd", IMAGE["Config"]["Cmd"])
    host = {"NetworkMode": "default", **body["HostConfig"]}
    endpoints = body.get("NetworkingConfig", {}).get("EndpointsConfig", {"bridge": {}})
    networks = {
        **endpoints,
        **{item["name"]: {"Aliases": item.get("aliases")} for item in connected},
    }
    return {
        "Id": "4c01db0b339c" + "0" * 52,
        "Name": "/web",
        "Image": IMAGE["Id"],
        "State": {"Status": "created", "Running": False},
        "Config": config,
        "HostConfig": host,
        "NetworkSettings": {"Networks": networks},
    }


def verbs(actions: list[Action]) -> list[str]:
    return [action.verb for action in actions]


def converge(
    options: dict[str, Any], found: dict[str, Any] | None, owner: str = "shop"
) -> tuple[list[Action], dict[str, Any] | None]:
    actions = plan(options, found, IMAGE, owner)
    return actions, made(actions, copy.deepcopy(found))


@pytest.mark.parametrize("seed", range(40))
def test_second_run_has_nothing_to_do(seed: int) -> None:
    """From any declaration to any other, and to none at all: one run gets there."""
    chance = random.Random(seed)
    found = None
    for _step in range(4):
        chosen = chance.sample(sorted(VALUES), chance.randrange(len(VALUES)))
        options = wanted(**{name: chance.choice(VALUES[name]) for name in chosen})
        _actions, found = converge(options, found)
        assert plan(options, found, IMAGE, "shop") == []


@pytest.mark.parametrize("option", VALUES)
def test_a_changed_option_is_named(option: str) -> None:
    first, second = VALUES[option]
    _actions, found = converge(wanted(**{option: first}), None)
    actions, _found = converge(wanted(**{option: second}), found)
    assert actions
    assert {name.partition(".")[0] for action in actions for name in action.after} == {option}


@pytest.mark.parametrize("option", VALUES)
def test_a_dropped_option_is_reverted(option: str) -> None:
    _actions, found = converge(wanted(**{option: VALUES[option][0]}), None)
    actions, found = converge(wanted(), found)
    assert actions
    assert plan(wanted(), found, IMAGE, "shop") == []


def test_limits_are_set_live() -> None:
    _actions, found = converge(wanted(memory="64M", restart_policy="always"), None)
    actions, _found = converge(wanted(memory="128M", restart_policy="no"), found)
    assert verbs(actions) == ["update"]
    assert actions[0].data["body"] == {
        "Memory": 128 << 20,
        # Else the engine refuses a limit above twice the old one.
        "MemorySwap": 256 << 20,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    }


def test_limit_that_was_set_live_is_reverted_without_a_label_that_tells() -> None:
    _actions, found = converge(wanted(), None)
    _actions, found = converge(wanted(pids_limit=10, memory="64M"), found)
    actions, _found = converge(wanted(memory="64M"), found)
    assert verbs(actions) == ["update"]
    actions, _found = converge(wanted(), found)
    assert verbs(actions) == ["recreate"]


def test_swap_limit_that_was_set_live_is_reverted() -> None:
    _actions, found = converge(wanted(memory="64M"), None)
    _actions, found = converge(wanted(memory="64M", memory_swap="200M"), found)
    actions, found = converge(wanted(memory="64M"), found)
    assert verbs(actions) == ["update"]
    assert actions[0].data["body"] == {"MemorySwap": 128 << 20}
    assert plan(wanted(memory="64M"), found, IMAGE, "shop") == []


@pytest.mark.parametrize("shown", [0, 128 << 20, -1])
def test_swap_limit_that_the_engine_made_up_is_no_difference(shown: int) -> None:
    """-1 shows where the kernel counts no swap."""
    _actions, found = converge(wanted(memory="64M"), None)
    assert found is not None
    found["HostConfig"]["MemorySwap"] = shown
    assert plan(wanted(memory="64M"), found, IMAGE, "shop") == []


def test_network_that_was_joined_live_is_left() -> None:
    _actions, found = converge(wanted(), None)
    assert found is not None
    found["NetworkSettings"]["Networks"]["lan"] = {}
    actions, _found = converge(wanted(), found)
    assert verbs(actions) == ["disconnect"]


def test_how_the_engine_writes_a_value_makes_no_difference() -> None:
    options = wanted(network_mode="container:main", memory="64M", blkio_weight=300)
    _actions, found = converge(options, None)
    assert found is not None
    found["HostConfig"]["NetworkMode"] = "container:8f2e"
    found["HostConfig"]["MemorySwap"] = 128 << 20
    found["HostConfig"]["BlkioWeight"] = 0  # The kernel has no such controller.
    assert plan(options, found, IMAGE, "shop") == []


def test_another_image_of_the_same_name() -> None:
    _actions, found = converge(wanted(), None)
    actions = plan(wanted(), found, OTHER_IMAGE, "shop")
    assert verbs(actions) == ["recreate"]
    assert actions[0].after == {"image": "sha256:2222"}


@pytest.mark.parametrize(
    ("state", "first", "then"),
    [
        ("started", ["create", "start"], ["start"]),
        ("present", ["create"], []),
        ("stopped", ["create"], []),
        ("healthy", ["create", "start", "await_healthy"], ["start", "await_healthy"]),
        ("absent", [], ["remove"]),
    ],
)
def test_states(state: str, first: list[str], then: list[str]) -> None:
    """then: of a container that is there and does not run."""
    assert verbs(plan(wanted(state=state), None, IMAGE, "shop")) == first
    _actions, found = converge(wanted(state="present"), None)
    assert verbs(plan(wanted(state=state), found, IMAGE, "shop")) == then


def test_without_an_image_it_is_only_acted_on() -> None:
    _actions, found = converge(wanted(env={"A": "1"}, memory="64M"), None)
    assert verbs(plan(wanted(image=None, state="stopped"), found, None, "shop")) == ["stop"]
    assert verbs(plan(wanted(image=None, restart=True), found, None, "")) == ["restart"]
    with pytest.raises(Invalid, match="image"):
        plan(wanted(image=None, env={"A": "2"}), found, None, "shop")
    with pytest.raises(Invalid, match="image"):
        plan(wanted(image=None), None, None, "shop")


def test_what_belongs_to_others_is_refused() -> None:
    _actions, found = converge(wanted(), None, owner="mall")
    for owner in ("shop", ""):
        with pytest.raises(FleetError, match="'mall'"):
            plan(wanted(), found, IMAGE, owner)
        with pytest.raises(FleetError, match="'mall'"):
            plan(wanted(state="absent"), found, IMAGE, owner)
    # Taken over, it gets its new owner's label; else the old one would prune it.
    actions = plan(wanted(adopt=True), found, IMAGE, "shop")
    assert verbs(actions) == ["recreate"]
    assert actions[0].data["body"]["Labels"][_ownership.OWNER] == "shop"


def test_what_belongs_to_nobody() -> None:
    _actions, found = converge(wanted(), None)
    assert found is not None
    found["Config"]["Labels"] = {"from": "image"}
    with pytest.raises(FleetError, match="adopt"):
        plan(wanted(), found, IMAGE, "shop")
    assert plan(wanted(adopt=True), found, IMAGE, "shop") == []
    assert plan(wanted(), found, IMAGE, "") == []


def test_interrupted_recreation() -> None:
    _actions, old = converge(wanted(), None)
    assert old is not None
    old["Name"] = f"/web{ASIDE}"
    assert verbs(plan(wanted(), None, IMAGE, "shop", old)) == ["rename"]
    _actions, new = converge(wanted(state="present"), None)
    assert verbs(plan(wanted(), new, IMAGE, "shop", old)) == ["remove", "start"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"published_ports": ["80:http"]}, "published_ports"),
        ({"published_ports": ["1-2:1-3"]}, "published_ports"),
        ({"memory": "much"}, "memory"),
        ({"env": {"DEBUG": True}}, "env"),
        ({"restart_policy": "always:3"}, "restart_policy"),
        ({"ulimits": ["nofile"]}, "ulimits"),
        ({"volumes": ["a/b:/c"]}, "volumes"),
        ({"healthcheck": {"interval": "soon"}}, "healthcheck"),
        ({"networks": [{"adress": "1"}]}, r"networks\[0\]"),
        ({"networks": [{"name": "lan", "gw_priority": "high"}]}, r"networks\[0\].gw_priority"),
    ],
)
def test_wrong_values_are_named(options: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid, match=f"^{path}"):
        plan(wanted(**options), None, IMAGE, "shop")


def test_references() -> None:
    options = wanted(network_mode="container:a", ipc_mode="host", volumes_from=["b:ro"])
    assert references(options) == ["a", "b"]


def test_image_that_is_yet_to_be_pulled() -> None:
    pulled = {"Id": "", "Config": {}}
    _actions, found = converge(wanted(), None)
    assert plan(wanted(), found, pulled, "shop") == []
    assert verbs(plan(wanted(), None, pulled, "shop")) == ["create", "start"]


def test_options_that_the_engine_adds_to_a_log_are_no_difference() -> None:
    options = wanted(log_driver="local", log_options={"max-file": 3})
    _actions, found = converge(options, None)
    assert found is not None
    log = found["HostConfig"]["LogConfig"]["Config"]
    assert log == {"max-file": "3"}
    log["max-size"] = "20m"
    assert plan(options, found, IMAGE, "shop") == []
