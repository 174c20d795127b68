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
