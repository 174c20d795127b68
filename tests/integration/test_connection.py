"""The engine cannot be reached: the message says where, why and what to do."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.engine.client import Client
from tests.integration.conftest import Fleet


def at(path: Path) -> Fleet:
    return Fleet("none", path, Client(path))


def test_no_socket(tmp_path: Path) -> None:
    failed = at(tmp_path / "s").run("engine_info", fails=True)
    assert str(tmp_path / "s") in failed["msg"]
    assert "no such socket" in failed["msg"]


def test_check_mode_plans_for_an_engine_that_is_yet_to_come(tmp_path: Path) -> None:
    declared = {
        "project": "shop",
        "networks": [{"name": "shop"}],
        "volumes": [{"name": "orders"}],
        "containers": [{"name": "web", "image": "shop:1", "networks": ["shop"]}],
        "images": [{"name": "shop:1", "source": "registry"}],
        "prune": True,
    }
    planned = at(tmp_path / "s").run("workload", check=True, **declared)
    assert planned["changed"]
    assert [(step["action"], step["name"]) for step in planned["actions"]] == [
        ("pull", "shop:1"),
        ("create", "shop"),
        ("create", "orders"),
        ("create", "web"),
        ("start", "web"),
    ]
    assert "is yet to be installed" in str(planned["warnings"])
    assert "no such socket" in at(tmp_path / "s").run("workload", fails=True, **declared)["msg"]


def test_check_mode_needs_an_engine_that_is_only_down(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    failed = at(tmp_path / "s").run("volume", check=True, fails=True, name="orders")
    assert "start the engine" in failed["msg"]


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    failed = at(tmp_path / "s").run("engine_info", fails=True)
    assert "start the engine" in failed["msg"]


def test_host_is_no_address(tmp_path: Path) -> None:
    failed = at(tmp_path).run("engine_info", engine_host="/run/davit.sock", fails=True)
    assert "unix:///" in failed["msg"]


def test_info(fleet: Fleet) -> None:
    fleet.run("container", name="web", image="busybox", command=["sleep", "600"])
    result = fleet.run("engine_info", objects=["containers", "images"])
    assert not result["changed"]
    assert [item["Names"] for item in result["containers"]] == [["/web"]]
    assert result["version"]["ApiVersion"]
    assert result["info"]["Containers"] == 1
